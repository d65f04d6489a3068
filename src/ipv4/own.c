// SPDX-License-Identifier: GPL-2.0
/*
 * A datagram socket's own clone: what a message claims about that socket's own
 * datagram applies to that socket alone. The MTU is in rt_pmtu, which expires by
 * itself. There is no host route, and nothing goes into the table.
 */
#include "own.h"
#include "../../pmtu_hostroute.h"
#include "../clone.h"
#include "stock.h"

#include <linux/jiffies.h>
#include <net/inet_sock.h>

static bool connected_to(const struct sock *sk, struct hostroute_addr daddr)
{
	return READ_ONCE(sk->sk_state) == TCP_ESTABLISHED &&
	       hostroute_addr_equal(hostroute_addr_peer(sk), daddr);
}

/**
 * hostroute_own_swap - give a connected datagram socket another route
 * @sk:		a datagram socket; nobody owns its route
 * @daddr:	do it only if the socket is connected to this address,
 * @old:	and has this route now; the caller has a reference to it
 * @new:	with a reference, which the socket gets
 *
 * Many destinations share a stock route. So a socket that is connected elsewhere
 * meanwhile may have @old again. Therefore its peer is checked once more after the
 * swap. connect() first drops the route, then sets the address, then sets the new
 * route.
 *
 * Context: RCU.
 * Return: false if the socket was not like that, or is not any more; then the
 * reference to @new is dropped.
 */
bool hostroute_own_swap(struct sock *sk, struct hostroute_addr daddr,
			struct dst_entry *old, struct dst_entry *new)
{
	struct dst_entry **cache = (__force struct dst_entry **)&sk->sk_dst_cache;

	if (!connected_to(sk, daddr) || cmpxchg(cache, old, new) != old) {
		dst_release(new);
		return false;
	}
	dst_release(old);
	if (connected_to(sk, daddr))
		return true;
	if (cmpxchg(cache, new, NULL) == new)
		dst_release(new);
	return false;
}

/* As the stock path does for an exception: below the floor DF is not set, since the
 * path may carry even less.
 */
static void limit_own(struct hostroute_clone *clone, u32 mtu,
		      const struct hostroute_limits *limits)
{
	u32 floor = READ_ONCE(limits->min_mtu_unproven);
	u64 life = READ_ONCE(limits->expire_unproven);

	life = life ? min_t(u64, life * HZ, LONG_MAX / 2) : LONG_MAX / 2;
	hostroute_clone_limit(clone, max(mtu, floor), mtu < floor,
			      jiffies + (unsigned long)life);
}

static struct hostroute_clone *make_own(struct hostroute_net *hn,
					struct dst_entry *old)
{
	if (!hostroute_clone_is(old) && !hostroute_stock_clonable(old))
		return NULL;
	return hostroute_stock_make(NULL, old, hn->table.memcg);
}

/**
 * hostroute_own_set - apply a claim about a socket's own datagram
 * @hn:		the namespace
 * @sk:		a UDP or raw socket
 * @daddr:	only if it is connected to this address
 * @mtu:	bytes
 *
 * The socket alone is put under a clone with this MTU, not below min_mtu_unproven, for
 * expire_unproven seconds. A socket without a valid route is left alone: it looks for
 * one at its next send.
 *
 * Context: BH off, RCU.
 */
void hostroute_own_set(struct hostroute_net *hn, struct sock *sk,
		       struct hostroute_addr daddr, u32 mtu)
{
	struct dst_entry *old = sk_dst_get(sk);
	struct hostroute_clone *clone;

	if (!old)
		return;
	if (!connected_to(sk, daddr) || !dst_check(old, 0) || mtu > dst_mtu(old))
		goto out;
	if (hostroute_clone_is_own(old)) {
		limit_own(hostroute_clone_of(old), mtu, &hn->table.limits);
		goto out;
	}
	clone = mtu < dst_mtu(old) ? make_own(hn, old) : NULL;
	if (!clone)
		goto out;
	limit_own(clone, mtu, &hn->table.limits);
	if (hostroute_own_swap(sk, daddr, old, &clone->rt->dst))
		hostroute_stats_inc(hn->stats, HOSTROUTE_OWN_ROUTE);
out:
	dst_release(old);
}
