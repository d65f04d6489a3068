// SPDX-License-Identifier: GPL-2.0
/*
 * The operations of clones: most are the stock route's. A clone differs in the MSS that a
 * SYN offers, in reports of this host itself, and in its end.
 */
#include "ops.h"
#include "../../pmtu_hostroute.h"
#include "../clone.h"

#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/route.h>

static void clone_destroy(struct dst_entry *dst)
{
	hostroute_clone_forget(hostroute_clone_of(dst));
	hostroute_stock_ops->destroy(dst);
}

/* The MSS that a SYN offers depends on the interface or the stock route. It never depends
 * on the learned MTU, which is that of the other direction (RFC 1191 6.4, RFC 2923 2.3).
 */
static unsigned int clone_default_advmss(const struct dst_entry *dst)
{
	const unsigned int headers = sizeof(struct tcphdr) + sizeof(struct iphdr);
	unsigned int mss;

	rcu_read_lock();
	mss = max_t(int, hostroute_clone_allowed_mtu(hostroute_clone_of(dst)) - headers,
		    dev_net(dst->dev)->ipv4.ip_rt_min_advmss);
	rcu_read_unlock();
	return min(mss, HOSTROUTE_MTU_MAX - headers);
}

/* A socket's own clone is not valid after it has expired. Then the socket looks its route
 * up again, and may come under a host route.
 */
static struct dst_entry *own_check(struct dst_entry *dst, u32 cookie)
{
	if (time_after_eq(jiffies, READ_ONCE(dst->expires)))
		return NULL;
	return hostroute_stock_ops->check(dst, cookie);
}

/* ipv4_dst_ops is static, so allocate a route to see what its operations are. */
static struct dst_ops *find_stock_ops(void)
{
	struct dst_ops *ops;
	struct rtable *rt;

	rt = rt_dst_alloc(init_net.loopback_dev, 0, RTN_UNICAST, false);
	if (!rt)
		return NULL;
	ops = rt->dst.ops;
	dst_release(&rt->dst);
	return ops;
}

/* Copy the stock operations field by field, for the struct embeds a per-CPU counter.
 * Those that each packet calls (check, mtu) are not replaced: the kernel calls the stock
 * functions directly (INDIRECT_CALL_INET()).
 */
static void fill_ops(struct dst_ops *ops, hostroute_update_pmtu update_pmtu)
{
	ops->family = hostroute_stock_ops->family;
	ops->check = hostroute_stock_ops->check;
	ops->mtu = hostroute_stock_ops->mtu;
	ops->cow_metrics = hostroute_stock_ops->cow_metrics;
	ops->negative_advice = hostroute_stock_ops->negative_advice;
	ops->link_failure = hostroute_stock_ops->link_failure;
	ops->redirect = hostroute_stock_ops->redirect;
	ops->local_out = hostroute_stock_ops->local_out;
	ops->neigh_lookup = hostroute_stock_ops->neigh_lookup;
	ops->confirm_neigh = hostroute_stock_ops->confirm_neigh;
	ops->kmem_cachep = hostroute_stock_ops->kmem_cachep;
	ops->default_advmss = clone_default_advmss;
	ops->update_pmtu = update_pmtu;
	ops->destroy = clone_destroy;
}

/**
 * hostroute_ops_init - prepare the operations of clones
 * @update_pmtu: what a clone does with a report of this host itself
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int hostroute_ops_init(hostroute_update_pmtu update_pmtu)
{
	hostroute_stock_ops = find_stock_ops();
	if (!hostroute_stock_ops)
		return -ENOMEM;
	fill_ops(&hostroute_clone_ops, update_pmtu);
	fill_ops(&hostroute_own_ops, update_pmtu);
	hostroute_own_ops.check = own_check;
	return 0;
}

/* Wait until no CPU uses the operations of a clone. Before this, every namespace has
 * disowned its clones. First wait for tasks that were preempted inside one of the
 * operations, then for RCU readers, then for callbacks: those that drop the sets'
 * references, and those that are queued when these references are dropped.
 * Context: process, may sleep.
 */
void hostroute_ops_exit(void)
{
	WARN_ON(!hostroute_clone_none());
	synchronize_rcu_tasks();
	synchronize_rcu();
	rcu_barrier();
	rcu_barrier();
}
