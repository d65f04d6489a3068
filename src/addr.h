/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses, wrapped: only this file and src/ipv4/ know what is inside one. A second
 * family gets a wider struct with the same functions.
 */
#ifndef HOSTROUTE_ADDR_H
#define HOSTROUTE_ADDR_H

#include <linux/types.h>
#include <net/inet_sock.h>

/* Text of the longest address and its NUL: "255.255.255.255". A number, because
 * tracing tools are shown it.
 */
#define HOSTROUTE_ADDR_SIZE	16

/**
 * struct hostroute_addr - an address of a host
 * @v4:	network byte order
 */
struct hostroute_addr {
	__be32 v4;
};

static inline struct hostroute_addr hostroute_addr_v4(__be32 v4)
{
	return (struct hostroute_addr) { .v4 = v4 };
}

static inline bool hostroute_addr_equal(struct hostroute_addr a, struct hostroute_addr b)
{
	return a.v4 == b.v4;
}

/* The word that is hashed. */
static inline u32 hostroute_addr_word(struct hostroute_addr addr)
{
	return (__force u32)addr.v4;
}

/* The address that a socket is connected to; changed by connect() meanwhile. */
static inline struct hostroute_addr hostroute_addr_peer(const struct sock *sk)
{
	return hostroute_addr_v4(READ_ONCE(inet_sk(sk)->inet_daddr));
}

int hostroute_addr_parse(const char *text, struct hostroute_addr *addr);
void hostroute_addr_print(char text[HOSTROUTE_ADDR_SIZE], struct hostroute_addr addr);
char *hostroute_addr_put(char *at, struct hostroute_addr addr);

#endif
