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

static char *put_byte(char *at, unsigned int byte)
{
	if (byte >= 100) {
		*at++ = '0' + byte / 100;
		byte %= 100;
		*at++ = '0' + byte / 10;
		byte %= 10;
	} else if (byte >= 10) {
		*at++ = '0' + byte / 10;
		byte %= 10;
	}
	*at++ = '0' + byte;
	return at;
}

/**
 * hostroute_addr_put - write an address as text, without a NUL
 * @at:		at least HOSTROUTE_ADDR_SIZE - 1 bytes
 * @addr:	the address
 *
 * For a listing of a million lines: snprintf() takes several times as long.
 *
 * Return: the end of the text.
 */
char *hostroute_addr_put(char *at, struct hostroute_addr addr)
{
	const u8 *byte = (const u8 *)&addr.v4;
	int i;

	for (i = 0; i < 4; i++) {
		if (i)
			*at++ = '.';
		at = put_byte(at, byte[i]);
	}
	return at;
}
