/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses, wrapped in a struct. Only this file, addr.c and src/ipv4/ look inside one.
 * A second address family gets a wider struct with the same functions.
 */
#ifndef HOSTROUTE_ADDR_H
#define HOSTROUTE_ADDR_H

#include <linux/compiler.h>
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

/* One that another CPU may be writing. */
static inline struct hostroute_addr
hostroute_addr_load(const struct hostroute_addr *addr)
{
	return hostroute_addr_v4(READ_ONCE(addr->v4));
}

/* One that other CPUs may be reading. */
static inline void hostroute_addr_store(struct hostroute_addr *addr,
					struct hostroute_addr value)
{
	WRITE_ONCE(addr->v4, value.v4);
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

static inline char *hostroute_addr_put_byte(char *at, unsigned int byte)
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
static inline char *hostroute_addr_put(char *at, struct hostroute_addr addr)
{
	const u8 *byte = (const u8 *)&addr.v4;
	int i;

	for (i = 0; i < 4; i++) {
		if (i)
			*at++ = '.';
		at = hostroute_addr_put_byte(at, byte[i]);
	}
	return at;
}

#endif
