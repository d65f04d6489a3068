// SPDX-License-Identifier: GPL-2.0
/* Parsing and printing of addresses. */
#include "addr.h"

#include <linux/errno.h>
#include <linux/in.h>
#include <linux/inet.h>
#include <linux/kernel.h>

/**
 * hostroute_addr_parse - parse the address of a destination
 * @text:	the address and nothing else; may be NULL
 * @addr:	valid when the return value is 0
 *
 * Return: 0, or -EINVAL if @text is not a unicast address that routers forward.
 */
int hostroute_addr_parse(const char *text, struct hostroute_addr *addr)
{
	const char *end;

	if (!text || !in4_pton(text, -1, (u8 *)&addr->v4, -1, &end) || *end)
		return -EINVAL;
	if (ipv4_is_zeronet(addr->v4) || ipv4_is_loopback(addr->v4) ||
	    ipv4_is_multicast(addr->v4) || ipv4_is_lbcast(addr->v4))
		return -EINVAL;
	return 0;
}

/* Write @addr as text, with a NUL. */
void hostroute_addr_print(char text[HOSTROUTE_ADDR_SIZE], struct hostroute_addr addr)
{
	snprintf(text, HOSTROUTE_ADDR_SIZE, "%pI4", &addr.v4);
}

