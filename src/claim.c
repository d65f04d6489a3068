// SPDX-License-Identifier: GPL-2.0
/* The MTU to assume for a message that does not carry one. */
#include "claim.h"
#include "../pmtu_hostroute.h"

#include <linux/kernel.h>
#include <linux/minmax.h>

/* RFC 1191 7.1, table 7-1 */
static const u16 plateaus[] = {
	65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68,
};

/**
 * hostroute_claim_plateau - guess an MTU for a router older than RFC 1191
 * @msg:	message with a next-hop MTU of 0
 * @estimate:	bytes; the MTU that is assumed for the path now
 *
 * RFC 1191 section 5: the largest plateau below the length of the quoted datagram.
 * Routers derived from 4.2BSD quote a total length that is too large by the length of
 * the header. The RFC says to assume this when the quoted length is not less than
 * @estimate. A quoted length of 0 stands for @estimate.
 *
 * Context: any.
 * Return: bytes, at least HOSTROUTE_MTU_MIN.
 */
u32 hostroute_claim_plateau(const struct hostroute_msg *msg, u32 estimate)
{
	u32 len = msg->quoted_len ?: estimate;
	size_t i;

	if (len >= estimate && msg->quoted_len)
		len -= min_t(u32, len, msg->quoted_ihl);
	for (i = 0; i < ARRAY_SIZE(plateaus); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return HOSTROUTE_MTU_MIN;
}
