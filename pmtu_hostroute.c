// SPDX-License-Identifier: GPL-2.0
/*
 * pmtu_hostroute - host routes for what path MTU discovery learns
 *
 * Theory of operation
 *
 * Linux keeps a learned path MTU as an exception of a next hop. This module
 * keeps it as a host route: one entry for each destination, in a table of its
 * network namespace that has a maximum, can be listed and is counted exactly.
 * It takes over reception of ICMP "fragmentation needed" (RFC 792 type 3 code
 * 4, RFC 1191) for TCP:
 *
 *   LOCAL_IN   src/icmp.c parses the message and checks what is public,
 *              src/proof.c looks for the connection it quotes,
 *              src/table.c learns or lowers the destination's host route,
 *              src/socket.c puts the connection's socket under it.
 *   LOCAL_OUT  src/output.c puts packets, and sockets, to a known destination
 *              under its host route; src/route.c makes the dst_entry for that.
 *   clock      the sweep takes out what has expired.
 *
 * A message that was acted on or refused does not reach the stock path; one
 * that is not about TCP, or that cannot be acted on, does, untouched.
 *
 * Locking
 *
 *   what                              written under            read under
 *   hostroute: key, id                before it is linked      RCU
 *   hostroute: mtu, previous_mtu,     table->lock              RCU, READ_ONCE()
 *     updated, router, ifindex,
 *     uses, class, dead
 *   hostroute: used                   nothing (a hint)         nothing
 *   hostroute: lru, age               table->lock              table->lock
 *   hostroute: clones, clone_count    table->lock              RCU
 *   table: hash, ids                  table->lock              RCU
 *   table: count, smallest_mtu,       table->lock              READ_ONCE()
 *     limits.max_routes
 *   table: next_id                    table->lock              table->lock
 *   table: limits, other              nothing (one word each)  READ_ONCE()
 *   clone: in_route                   table->lock              RCU
 *   clone: in_all, list of all        all_lock (route.c)       all_lock
 *   clone: route                      once when made; to NULL  RCU
 *                                     under all_lock
 *   clone: its dst->ops               before it is published;  nothing
 *                                     all_lock when disowned
 *   clone: RTAX_MTU, obsolete         table->lock, all_lock    nothing (one word)
 *   hostroute_net: clamps, count,     clamp_lock               clamp_lock
 *     list
 *   hostroute_net: output_on, dying   output_lock (mutex)      READ_ONCE()
 *   hostroute_net: mode               nothing (one word)       READ_ONCE()
 *   sk->sk_dst_cache                  who owns the socket      RCU
 *
 * Order: socket -> table->lock -> all_lock; socket -> clamp_lock. All
 * spinlocks are taken with BH off.
 *
 * Lifetime
 *
 *   hostroute: a reference of the table's while linked, one of each clone's;
 *     freed by RCU after the last.
 *   clone: a reference of the set's, dropped a grace period after it left the
 *     set; one of each socket and packet; freed with its dst_entry.
 *   waiting clamp: holds its socket; dropped when its namespace goes (a user's
 *     socket keeps its namespace, so that there is none then).
 *   device going: clones of it are moved to the blackhole device.
 *   namespace, module going: hooks first, then waiting clamps, then the clones
 *     that sockets still hold, which become plain obsolete routes, then routes.
 */
#include "pmtu_hostroute.h"

#include <linux/icmp.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/netns/generic.h>

/* After filter (0) and NAT (100), so that an administrator's rules have been
 * applied and the quote names addresses as the socket knows them; before
 * conntrack confirms.
 */
#define INPUT_PRIORITY		(NF_IP_PRI_CONNTRACK_HELPER - 1)

/* However little there is to do, look this often, seconds. */
#define SWEEP_INTERVAL		30U

static unsigned int net_id __read_mostly;
struct workqueue_struct *hostroute_wq;

struct hostroute_net *hostroute_net(const struct net *net)
{
	return net_generic(net, net_id);
}

/* ---- LOCAL_IN -------------------------------------------------------------------- */

/* A consumed message was received all the same: nstat goes on counting it. */
static void count_mib(struct net *net, enum hostroute_outcome outcome)
{
	__ICMP_INC_STATS(net, ICMP_MIB_INMSGS);
	switch (outcome) {
	case HOSTROUTE_IGNORED_CHECKSUM:
		__ICMP_INC_STATS(net, ICMP_MIB_CSUMERRORS);
		fallthrough;
	case HOSTROUTE_IGNORED_TRUNCATED:
	case HOSTROUTE_IGNORED_OUTER:
	case HOSTROUTE_IGNORED_QUOTE:
		__ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
		break;
	default:
		ICMPMSGIN_INC_STATS(net, ICMP_DEST_UNREACH);
		__ICMP_INC_STATS(net, ICMP_MIB_INDESTUNREACHS);
	}
}

static unsigned int handle(struct hostroute_net *hn, struct sk_buff *skb)
{
	enum hostroute_outcome outcome;
	struct hostroute_msg msg;
	unsigned int verdict;

	hostroute_stats_inc(hn->stats, HOSTROUTE_RECEIVED);
	outcome = hostroute_icmp_parse(skb, &msg);
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = hostroute_proof_tcp(hn, skb, &msg);
	hostroute_stats_inc(hn->stats, outcome);

	verdict = hostroute_stats_verdict(outcome);
	if (verdict == NF_DROP)
		count_mib(hn->net, outcome);
	return verdict;
}

static unsigned int input_hook(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	struct hostroute_net *hn = priv;
	unsigned int verdict;

	if (!hostroute_icmp_is_frag_needed(skb) ||
	    READ_ONCE(hn->mode) == HOSTROUTE_MODE_OFF)
		return NF_ACCEPT;

	/* A packet that NFQUEUE held comes here in process context. */
	local_bh_disable();
	verdict = handle(hn, skb);
	local_bh_enable();
	return verdict;
}

static const struct nf_hook_ops input_ops = {
	.hook = input_hook,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = INPUT_PRIORITY,
};

/* ---- the clock --------------------------------------------------------------------- */

static void sweep(struct work_struct *work)
{
	struct hostroute_net *hn = container_of(to_delayed_work(work),
						struct hostroute_net, sweep);
	u64 delay = SWEEP_INTERVAL * NSEC_PER_SEC;
	u64 now = hostroute_now();
	u64 next;

	next = hostroute_table_sweep(&hn->table, now);
	hostroute_output_update(hn);
	if (!hostroute_table_count(&hn->table))
		return;
	if (next)
		delay = clamp_t(u64, next - now, NSEC_PER_SEC / 10, delay);
	queue_delayed_work(hostroute_wq, &hn->sweep, nsecs_to_jiffies(delay) + 1);
}

/**
 * hostroute_net_resweep - sweep now, and find out when to sweep next
 * @hn: the namespace; what is due may have changed
 */
void hostroute_net_resweep(struct hostroute_net *hn)
{
	mod_delayed_work(hostroute_wq, &hn->sweep, 0);
}

/**
 * hostroute_net_changed - the count or the mode may have changed
 * @hn: the namespace
 *
 * Context: any. Has the output hook registered or not, and the sweep due.
 */
void hostroute_net_changed(struct hostroute_net *hn)
{
	hostroute_output_update(hn);
	/* Nothing to do if it is due already. */
	if (hostroute_table_count(&hn->table))
		queue_delayed_work(hostroute_wq, &hn->sweep, 0);
}

/**
 * hostroute_net_find - the host route that applies to a stock route
 * @hn:		the namespace
 * @dst:	the route that the kernel chose
 * @daddr:	for this destination
 *
 * Context: RCU. Return: NULL if there is none, it has expired, or @dst is of a
 * kind that is left alone.
 */
struct hostroute *hostroute_net_find(struct hostroute_net *hn,
				     const struct dst_entry *dst, __be32 daddr)
{
	struct hostroute_key key = { .daddr = daddr };
	struct hostroute *route;

	if (!hostroute_route_clonable(dst))
		return NULL;
	key.l3mdev = l3mdev_master_ifindex_rcu(dst->dev);
	route = hostroute_table_find(&hn->table, &key);
	if (!route || hostroute_table_expired(&hn->table, route, hostroute_now()))
		return NULL;
	return route;
}

/**
 * hostroute_net_learn - have a claim learned, and what follows from it seen to
 * @hn:		the namespace
 * @claim:	a claim that was believed
 *
 * Context: any but hardirq. Return: as hostroute_table_learn().
 */
enum hostroute_outcome hostroute_net_learn(struct hostroute_net *hn,
					   const struct hostroute_claim *claim)
{
	enum hostroute_outcome outcome;

	outcome = hostroute_table_learn(&hn->table, claim);
	if (outcome == HOSTROUTE_LEARNED)
		hostroute_net_changed(hn);
	return outcome;
}

/* ---- namespaces ---------------------------------------------------------------------- */

/*
 * The end of a namespace, or of the module in it: three steps with a grace
 * period before each.
 *
 * 1. The hooks are gone, and all that were running have ended. Waiting clamps
 *    are the last that could make clones. Sockets leave theirs.
 */
static void net_retire(struct hostroute_net *hn)
{
	hostroute_socket_net_exit(hn);
	hostroute_route_retire(hn->net);
}

/* 2. No packet is on its way on a clone. */
static void net_disown(struct hostroute_net *hn)
{
	hostroute_route_disown(hn->net);
}

/* 3. Nobody is inside clone_update_pmtu(), so nobody learns or queues work. */
static void net_release(struct hostroute_net *hn)
{
	cancel_delayed_work_sync(&hn->sweep);
	cancel_work_sync(&hn->output_work);
	hostroute_proc_net_exit(hn);
	hostroute_table_exit(&hn->table);
	free_percpu(hn->stats);
}

static int __net_init net_init(struct net *net)
{
	struct hostroute_net *hn = hostroute_net(net);
	int err;

	hn->net = net;
	hn->mode = READ_ONCE(hostroute_default_mode);
	INIT_DELAYED_WORK(&hn->sweep, sweep);
	hostroute_output_init(hn);
	hostroute_socket_net_init(hn);

	hn->stats = alloc_percpu(struct hostroute_stats);
	if (!hn->stats)
		return -ENOMEM;
	err = hostroute_table_init(&hn->table, hn->stats,
				   &hostroute_default_limits);
	if (err)
		goto err_stats;
	err = hostroute_proc_net_init(hn);
	if (err)
		goto err_table;
	hn->input_ops = input_ops;
	hn->input_ops.priv = hn;
	err = nf_register_net_hook(net, &hn->input_ops);
	if (err)
		goto err_proc;
	err = hostroute_sysfs_net_init(hn);
	if (err)
		goto err_hook;
	return 0;

err_hook:
	nf_unregister_net_hook(net, &hn->input_ops);
	hostroute_output_exit(hn);
	synchronize_rcu();
	net_retire(hn);
	synchronize_rcu();
	net_disown(hn);
	synchronize_rcu();
	net_release(hn);
	return err;
err_proc:
	hostroute_proc_net_exit(hn);
err_table:
	hostroute_table_exit(&hn->table);
err_stats:
	free_percpu(hn->stats);
	return err;
}

/* No new work: user space and the wire first. The core waits for a grace
 * period before net_exit(), so that no hook is running any more.
 */
static void __net_exit net_pre_exit(struct net *net)
{
	struct hostroute_net *hn = hostroute_net(net);

	hostroute_sysfs_net_exit(hn);
	nf_unregister_net_hook(net, &hn->input_ops);
	hostroute_output_exit(hn);
}

static void __net_exit net_exit_batch(struct list_head *nets)
{
	struct net *net;

	list_for_each_entry(net, nets, exit_list)
		net_retire(hostroute_net(net));
	synchronize_rcu();
	list_for_each_entry(net, nets, exit_list)
		net_disown(hostroute_net(net));
	synchronize_rcu();
	list_for_each_entry(net, nets, exit_list)
		net_release(hostroute_net(net));
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
	.exit_batch = net_exit_batch,
	.id = &net_id,
	.size = sizeof(struct hostroute_net),
};

/* ---- devices ---------------------------------------------------------------------------- */

static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_UNREGISTER)
		hostroute_route_device_gone(dev);
	else if (event == NETDEV_CHANGEMTU)
		hostroute_route_device_mtu(dev);
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = {
	.notifier_call = device_event,
};

/* ---- the module -------------------------------------------------------------------------- */

static int __init hostroute_init(void)
{
	int err;

	hostroute_wq = alloc_workqueue(HOSTROUTE_NAME, WQ_UNBOUND, 0);
	if (!hostroute_wq)
		return -ENOMEM;
	err = hostroute_table_slab_init();
	if (err)
		goto err_wq;
	err = hostroute_route_init();
	if (err)
		goto err_slab;
	err = register_netdevice_notifier(&device_notifier);
	if (err)
		goto err_slab;
	err = hostroute_sysfs_init();
	if (err)
		goto err_notifier;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto err_sysfs;
	return 0;

err_sysfs:
	hostroute_sysfs_exit();
err_notifier:
	unregister_netdevice_notifier(&device_notifier);
	hostroute_route_exit();
err_slab:
	hostroute_table_slab_exit();
err_wq:
	destroy_workqueue(hostroute_wq);
	return err;
}

static void __exit hostroute_exit(void)
{
	unregister_pernet_subsys(&net_ops);
	hostroute_sysfs_exit();
	unregister_netdevice_notifier(&device_notifier);
	hostroute_route_exit();
	hostroute_table_slab_exit();
	destroy_workqueue(hostroute_wq);
}

module_init(hostroute_init);
module_exit(hostroute_exit);

MODULE_DESCRIPTION("Host routes for path MTU discovery (RFC 1191)");
MODULE_LICENSE("GPL");
