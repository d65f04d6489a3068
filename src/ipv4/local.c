// SPDX-License-Identifier: GPL-2.0
/*
 * This host's own reports: tunnels, IPsec and TCP call dst_ops->update_pmtu of a clone
 * when its path carries less. Reports about stock routes do not come here.
 */
#include "local.h"
#include "../../pmtu_hostroute.h"
#include "../clone.h"
#include "../net.h"

#include <linux/ip.h>
#include <net/inet_sock.h>

/* The destination that a report is about. The clone of a device route stands for many:
 * the packet says which, or else the socket. Context: RCU.
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

/* Context: RCU. */
static noinline void learn_local(struct dst_entry *dst, const struct hostroute *route,
				 const struct sock *sk, const struct sk_buff *skb,
				 u32 mtu)
{
	/* Not the device's namespace, which may be going away. The clone's own stays
	 * until the clone is disowned.
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

/**
 * hostroute_local_update_pmtu - learn a smaller MTU that this host reports
 * @dst:	a clone
 * @sk:		the socket that it is about, or NULL
 * @skb:	the packet that it is about, or NULL
 * @mtu:	bytes
 * @confirm_neigh: not used
 *
 * This is dst_ops->update_pmtu of clones, for tunnels, xfrm and TCP. The stock
 * operation would make a next-hop exception, which the clone would never see.
 *
 * Context: any but hardirq.
 */
void hostroute_local_update_pmtu(struct dst_entry *dst, struct sock *sk,
				 struct sk_buff *skb, u32 mtu, bool confirm_neigh)
{
	struct hostroute *route;

	/* TCP reports here each time that a message has lowered the MTU. That is no
	 * news, see clamp_now().
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
