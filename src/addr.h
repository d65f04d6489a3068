/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses, wrapped in a struct. Only this file, addr.c and src/ipv4/ look inside one.
 * A second address family gets a wider struct with the same functions.
 */
#ifndef HOSTROUTE_ADDR_H
#define HOSTROUTE_ADDR_H

#include <linux/types.h>
#include <net/inet_sock.h>

/* Size of the longest address as text with its NUL: "255.255.255.255". It is a plain
 * number and not sizeof(), because the format file of a tracepoint shows this text to
 * tracing tools.
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

/* The address as one word, for hashing. */
static inline u32 hostroute_addr_word(struct hostroute_addr addr)
{
	return (__force u32)addr.v4;
}

/**
 * hostroute_addr_peer - the address that an IPv4 socket is connected to
 * @sk: the socket
 *
 * Context: any. connect() may change the address at the same time.
 * Return: the address.
 */
static inline struct hostroute_addr hostroute_addr_peer(const struct sock *sk)
{
	return hostroute_addr_v4(READ_ONCE(inet_sk(sk)->inet_daddr));
}

int hostroute_addr_parse(const char *text, struct hostroute_addr *addr);
void hostroute_addr_print(char text[HOSTROUTE_ADDR_SIZE], struct hostroute_addr addr);
char *hostroute_addr_put(char *at, struct hostroute_addr addr);

#endif
