// SPDX-License-Identifier: GPL-2.0
/*
 * This host's own reports: tunnels, IPsec and TCP say by dst_ops->update_pmtu that a
 * path carries less.
 */
#include "local.h"
#include "../../pmtu_hostroute.h"
#include "../clone.h"
#include "../net.h"

#include <linux/ip.h>
#include <net/inet_sock.h>

/* What a report is about. A device's clone stands for many destinations: the
 * packet, or else the socket, says which. Under RCU.
 */
static bool claim_key(struct hostroute_key *key, const struct dst_entry *dst,
		      const struct hostroute *route, const struct sock *sk,
		      const struct sk_buff *skb)
{
	if (!hostroute_is_device(route)) {
		*key = route->key;
		return true;
	}
	if (!skb && !sk)
		return false;
	key->daddr = skb ? hostroute_addr_v4(ip_hdr(skb)->daddr) : hostroute_addr_peer(sk);
	key->l3mdev = hostroute_l3mdev(dst->dev);
	return true;
}

/* Under RCU. */
static noinline void learn_local(struct dst_entry *dst, const struct hostroute *route,
				 const struct sock *sk, const struct sk_buff *skb,
				 u32 mtu)
{
	/* Not the device's namespace: it may be going away. Ours stays while the
	 * clone is not disowned.
	 */
	struct hostroute_net *hn = hostroute_net_of(hostroute_clone_of(dst)->net);
	struct hostroute_claim claim = {
		.now = hostroute_now(),
		.mtu = max(mtu, HOSTROUTE_MTU_MIN),
		.estimate = hostroute_clone_stock_mtu(hostroute_clone_of(dst)),
		.class = HOSTROUTE_CLASS_LOCAL,
	};

	if (claim_key(&claim.key, dst, route, sk, skb))
		hostroute_stats_inc(hn->stats, hostroute_net_learn(hn, &claim));
}

/* Tunnels, xfrm and TCP report a smaller MTU of their own here. The stock
 * operation would make a next-hop exception that this clone never sees.
 */
void hostroute_local_update_pmtu(struct dst_entry *dst, struct sock *sk,
				 struct sk_buff *skb, u32 mtu, bool confirm_neigh)
{
	struct hostroute *route;

	/* TCP reports here each time that a message has lowered the MTU, and then
	 * it is no news: see clamp_now().
	 */
	if (mtu >= HOSTROUTE_MTU_MAX)
		return;
	rcu_read_lock();
	route = rcu_dereference(hostroute_clone_of(dst)->route);
	if (route && dst->obsolete == DST_OBSOLETE_FORCE_CHK &&
	    mtu < READ_ONCE(route->mtu))
		learn_local(dst, route, sk, skb, mtu);
	rcu_read_unlock();
}
