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
 * 4, RFC 1191) for TCP, UDP and Echoes:
 *
 *   LOCAL_IN   src/icmp.c parses the message and checks what it says by itself,
 *              src/facts.c what is public of this host: addresses and routes,
 *              src/proof.c looks for the connection it quotes,
 *              src/defer.c has a claim wait that acknowledged data contradicts,
 *              src/table.c learns or lowers the destination's host route,
 *              src/socket.c puts the connection's socket under it.
 *   LOCAL_OUT  src/output.c puts packets, and sockets, to a known destination
 *              under its host route; src/route.c makes the dst_entry for that.
 *              src/datagram.c does it for what is not TCP.
 *   FORWARD    src/forward.c learns from messages that pass a router, and lowers
 *              the MSS option of SYNs that do (src/mss.c).
 *   sysfs      the administrator pins host routes, and takes them out; and says
 *              what is to be used of a device (src/device.c).
 *   clock      the sweep takes out what has expired.
 *   memory     the shrinker gives routes back that can be learned again.
 *
 * A message that was acted on or refused does not reach the stock path; one
 * about another protocol, or that cannot be acted on, does, untouched. What a
 * datagram's or an Echo's quote claims nothing can prove: it goes on record in
 * a share of the table of its own that applies to datagrams only, and
 * src/report.c tells the socket the datagram came from, if there is one.
 *
 * With mode=observe all messages reach the stock path: each room says what it
 * would have done, and does nothing. What happens is told to the counters
 * (src/stats.c) and to those who watch (src/trace.c), by the same names.
 *
 * Locking
 *
 *   what                              written under            read under
 *   hostroute: key, serial            before it is linked      RCU
 *   hostroute: id                     before it is linked;     table->lock
 *                                     table->lock when it dies
 *   hostroute: mtu, previous_mtu,     table->lock              RCU, READ_ONCE()
 *     pinned_mtu, updated, router,
 *     ifindex, uses, class
 *   hostroute: used                   nothing (a hint)         nothing
 *   hostroute: lru, age, slot         table->lock              table->lock
 *     lru, of one that is to be freed nothing (who took it out) the same
 *   hostroute: clones                 table->lock              RCU
 *   table: hash, ids, newest          table->lock              RCU
 *   table: count, pool[].count,       table->lock              READ_ONCE()
 *     smallest_mtu, smallest_any,
 *     in_vrfs, forwarded
 *   table: limits.max_routes,         admin and table->lock    READ_ONCE()
 *     limits.max_unproven
 *   table: unproven_follows           admin (mutex)            admin
 *   table: unproven, slots, serial,   table->lock              table->lock
 *     now, starved, lru, pool[].age,
 *     leaving
 *   table: hash.p.automatic_shrinking table->lock              nothing (a hint)
 *   table: limits, other              nothing (one word each)  READ_ONCE()
 *   table: memcg, owner, stats        before it is used        nothing
 *   clone: in_route                   table->lock              RCU
 *   clone: rt_uncached, list of all   all_lock (route.c)       all_lock
 *   clone: route                      once when made; to NULL  RCU
 *                                     under all_lock
 *   clone: its dst->ops               before it is published;  nothing
 *                                     all_lock when disowned
 *   clone: RTAX_MTU, obsolete         all_lock                 nothing (one word)
 *   clone: own, of_device             once when made           nothing
 *   clone: rt_pmtu, expires           all_lock                 nothing (one word)
 *   route of a device: mtu, clones,   table->lock of the       RCU, READ_ONCE();
 *     id                              device's namespace       id: table->lock
 *   device entry: node, list, hn,     entries_lock (mutex)     RCU; entries_lock
 *     mtu, paths (device.c)
 *   hostroute_net: device_mtu         entries_lock (mutex)     READ_ONCE()
 *   hostroute_net: budget, budget_at  budget_lock              budget_lock
 *   hostroute_net: clamps, count,     clamp_lock               clamp_lock
 *     list
 *   hostroute_net: waiting, list      waiting_lock             waiting_lock
 *   hostroute_net: waiting_count      waiting_lock             READ_ONCE()
 *   waiting claim: its fields         its socket's spinlock    its socket's
 *                                     and waiting_lock         spinlock
 *   hostroute_net: output_on, dying   output_lock (mutex)      READ_ONCE()
 *   hostroute_net: forward            forward_lock (mutex)     READ_ONCE()
 *   hostroute_net: mode, unproven,    nothing (one word)       READ_ONCE()
 *     unproven_rate, defer, sweep_at
 *   list of namespaces                all_nets_lock            RCU
 *   list of GRE tunnels               RTNL                     RCU
 *   vrfs_followed                     RTNL                     RTNL
 *   sk->sk_dst_cache of TCP           who owns the socket      RCU
 *   sk->sk_dst_cache of UDP, raw      nothing (cmpxchg)        RCU
 *
 * Order: admin -> table->lock; socket -> table->lock -> all_lock; socket ->
 * clamp_lock; socket -> waiting_lock; RTNL -> entries_lock -> table->lock. RTNL ->
 * a device's open files -> entries_lock: no file takes RTNL, and nobody removes
 * files under entries_lock. All spinlocks are taken with BH off. Nothing allocates
 * with a sleep under any of them but admin and entries_lock, so that the shrinker
 * may run anywhere; it takes table->lock alone. Tracepoints fire under the spinlocks
 * of the table and of sockets; they read what these guard, and take none.
 *
 * Lifetime
 *
 *   hostroute: a reference of the table's while linked, one of each clone's;
 *     freed by RCU after the last.
 *   clone: a reference of the set's, dropped a grace period after it left the
 *     set; one of each socket and packet; freed with its dst_entry. A
 *     socket's own is in no set.
 *   waiting clamp: holds its socket; dropped when its namespace goes (a user's
 *     socket keeps its namespace, so that there is none then).
 *   waiting claim: holds its socket, until an ACK, a timeout or its end, at most
 *     for four minutes; dropped when its namespace goes (with the module: a
 *     user's socket keeps its namespace).
 *   device going: clones of it are moved to the blackhole device; its entry is
 *     freed by RCU, after its files. A tunnel's is off the list when it goes
 *     down, a grace period before it is freed. To another namespace: its own
 *     routes are dead, and it gets new ones there.
 *   VRF going: its routes go with it.
 *   module going: devices' files and routes before all else.
 *   namespace, module going: the files and the shrinker first, then the hooks,
 *     then waiting claims, then waiting clamps, then the clones that sockets still hold, which
 *     become plain obsolete routes, then routes.
 *   memory cgroup: the table's reference keeps it, dropped after the routes.
 */
#include "pmtu_hostroute.h"
#include "src/compat.h"

#include <linux/icmp.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <net/icmp.h>
#include <net/ip.h>
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

/* The administrator has these messages ignored (net.ipv4.ip_no_pmtu_disc): all,
 * or those that no connection proves. The stock path does that.
 */
static bool is_disabled(const struct net *net, const struct hostroute_msg *msg)
{
	switch (READ_ONCE(net->ipv4.sysctl_ip_no_pmtu_disc)) {
	case 2:
		return true;
	case 3:
		return msg->protocol != IPPROTO_TCP;
	default:
		return false;
	}
}

/* With @observe: as if, and the stock path acts. */
static unsigned int handle(struct hostroute_net *hn, struct sk_buff *skb,
			   bool observe)
{
	enum hostroute_outcome outcome;
	struct hostroute_msg msg = {};
	struct hostroute_path path;
	unsigned int verdict;

	hostroute_stats_inc(hn->stats, HOSTROUTE_RECEIVED);
	outcome = hostroute_icmp_parse(skb, &msg);
	msg.observe = observe;
	if (outcome == HOSTROUTE_CONTINUE) {
		if (msg.bad_sum)
			hostroute_stats_inc(hn->stats, HOSTROUTE_QUOTED_CHECKSUM);
		outcome = is_disabled(hn->net, &msg) ? HOSTROUTE_PASSED_DISABLED :
			  hostroute_facts_check(hn->net, skb, &msg, &path);
	}
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = hostroute_proof_act(hn, skb, &msg, &path);
	hostroute_stats_inc(hn->stats, outcome);
	hostroute_trace_message(hn, skb, &msg, outcome);
	if (observe)
		return NF_ACCEPT;

	verdict = hostroute_stats_verdict(outcome);
	if (verdict == NF_DROP)
		count_mib(hn->net, outcome);
	return verdict;
}

static noinline unsigned int look_at(struct hostroute_net *hn, struct sk_buff *skb)
{
	unsigned int verdict;
	bool bh_on;
	u32 mode;

	if (!hostroute_icmp_is_frag_needed(skb))
		return NF_ACCEPT;
	mode = READ_ONCE(hn->mode);
	if (mode == HOSTROUTE_MODE_OFF)
		return NF_ACCEPT;

	/* A packet that NFQUEUE held comes here in process context. */
	bh_on = !softirq_count();
	if (unlikely(bh_on))
		local_bh_disable();
	verdict = handle(hn, skb, mode == HOSTROUTE_MODE_OBSERVE);
	if (unlikely(bh_on))
		local_bh_enable();
	return verdict;
}

/* Every packet to this host comes here: those that are no ICMP have to pay for
 * nothing but this function, so what saves registers and a stack is elsewhere.
 */
static unsigned int input_hook(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	if (likely(ip_hdr(skb)->protocol != IPPROTO_ICMP))
		return NF_ACCEPT;
	return look_at(priv, skb);
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
	unsigned long delay;
	u64 now, next, end;

	/* Whoever comes while it is not known when the next one is, asks for one. */
	atomic64_set(&hn->sweep_at, S64_MAX);
	next = hostroute_table_sweep(&hn->table, hostroute_now());
	hostroute_output_update(hn);
	if (!hostroute_table_count(&hn->table))
		return;
	/* A sweep of very many takes its time. */
	now = hostroute_now();
	end = now + (u64)SWEEP_INTERVAL * NSEC_PER_SEC;
	if (next)
		end = clamp_t(u64, next, now + NSEC_PER_SEC / 10, end);
	atomic64_set(&hn->sweep_at, end);
	/* The timer wheel may be an eighth late: come early, and once more. */
	delay = nsecs_to_jiffies(end - now);
	queue_delayed_work(hostroute_wq, &hn->sweep, delay - delay / 8 + 1);
}

/**
 * hostroute_net_resweep - sweep now, and find out when to sweep next
 * @hn: the namespace; what is due may have changed
 */
void hostroute_net_resweep(struct hostroute_net *hn)
{
	mod_delayed_work(hostroute_wq, &hn->sweep, 0);
}

static void sweep_if_none_is_due(struct hostroute_net *hn)
{
	if (hostroute_table_count(&hn->table))
		queue_delayed_work(hostroute_wq, &hn->sweep, 0);
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
	sweep_if_none_is_due(hn);
}

/* A route whose time is up before the next sweep moves it. */
static void sweep_in_time(struct hostroute_net *hn, u64 now, u32 life)
{
	if (life && now + (u64)life * NSEC_PER_SEC < atomic64_read(&hn->sweep_at))
		hostroute_net_resweep(hn);
}

/**
 * hostroute_net_find - the host route that applies to a stock route
 * @hn:		the namespace
 * @dst:	the route that the kernel chose
 * @daddr:	for this destination
 * @unproven_too: also one of that rank
 *
 * Context: RCU. Return: NULL if there is none, it has expired, or @dst is of a
 * kind that is left alone.
 */
struct hostroute *hostroute_net_find(struct hostroute_net *hn,
				     const struct dst_entry *dst, __be32 daddr,
				     bool unproven_too)
{
	struct hostroute_key key = { .daddr = daddr };
	struct hostroute *route;

	if (!hostroute_route_clonable(dst) && !hostroute_route_is_own(dst))
		return NULL;
	key.l3mdev = hostroute_l3mdev(dst->dev);
	route = hostroute_table_find(&hn->table, &key);
	if (!route || hostroute_table_expired(&hn->table, route, hostroute_now()))
		return NULL;
	/* What is forwarded as well: it is not known of this host's connections. */
	if (!unproven_too &&
	    hostroute_rank(READ_ONCE(route->class)) == HOSTROUTE_RANK_UNPROVEN)
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
	bool unproven = hostroute_rank(claim->class) == HOSTROUTE_RANK_UNPROVEN;
	const struct hostroute_limits *limits = &hn->table.limits;
	enum hostroute_outcome outcome;

	outcome = hostroute_table_learn(&hn->table, claim);
	if (claim->dry_run)
		return outcome;
	switch (outcome) {
	case HOSTROUTE_LEARNED:
	case HOSTROUTE_CONFIRMED:
		sweep_if_none_is_due(hn);
		/* Many may come at once, and to wake a worker for each would cost as
		 * much again. The barrier's other half is in output_work().
		 */
		smp_mb();
		if (!READ_ONCE(hn->output_on))
			hostroute_output_update(hn);
		fallthrough;
	case HOSTROUTE_LOWERED:		/* maybe of a pinned one, for a while */
		sweep_in_time(hn, claim->now,
			      unproven ? READ_ONCE(limits->expire_unproven) :
					 READ_ONCE(limits->expire));
		break;
	default:
		break;
	}
	return outcome;
}

/**
 * hostroute_net_may_record - is there budget for one more unproven route?
 * @hn:  the namespace
 * @now: boot time, ns
 *
 * Asked before anything secret is looked at. What one costs is random, from
 * half to one and a half of its share of a second, so that nobody can count
 * what others have used.
 *
 * Context: any but hardirq.
 */
bool hostroute_net_may_record(struct hostroute_net *hn, u64 now)
{
	u32 rate = READ_ONCE(hn->unproven_rate);
	u32 cost;
	bool may;

	if (!rate)
		return true;
	cost = NSEC_PER_SEC / rate;
	cost = cost / 2 + reciprocal_scale(get_random_u32(), cost);
	spin_lock_bh(&hn->budget_lock);
	if (now > hn->budget_at) {
		hn->budget = min_t(u64, hn->budget + now - hn->budget_at,
				   2 * NSEC_PER_SEC);
		hn->budget_at = now;
	}
	may = hn->budget >= cost;
	if (may)
		hn->budget -= cost;
	spin_unlock_bh(&hn->budget_lock);
	return may;
}

static bool vrf_exists(struct net *net, int ifindex)
{
	const struct net_device *dev;
	bool exists;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	exists = dev && netif_is_l3_master(dev);
	rcu_read_unlock();
	return exists;
}

/**
 * hostroute_net_pin - pin the administrator's host route
 * @hn:		the namespace
 * @key:	destination and VRF
 * @mtu:	bytes
 *
 * Context: process.
 * Return: as hostroute_table_pin(); -ENODEV if the VRF went meanwhile.
 */
int hostroute_net_pin(struct hostroute_net *hn, const struct hostroute_key *key,
		      u32 mtu)
{
	int err = hostroute_table_pin(&hn->table, key, mtu, hostroute_now());

	/* A VRF is off the list of devices before its routes are forgotten: one
	 * that is gone may have missed this one.
	 */
	if (!err && key->l3mdev && !vrf_exists(hn->net, key->l3mdev)) {
		hostroute_table_forget_vrf(&hn->table, key->l3mdev);
		err = -ENODEV;
	}
	if (!err)
		hostroute_net_changed(hn);
	return err;
}

/* ---- memory ------------------------------------------------------------------------ */

static LIST_HEAD(all_nets);
static DEFINE_SPINLOCK(all_nets_lock);
static struct shrinker *shrinker;

static unsigned long count_all(enum hostroute_rank rank)
{
	struct hostroute_net *hn;
	unsigned long n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(hn, &all_nets, list)
		n += hostroute_table_count_rank(&hn->table, rank);
	rcu_read_unlock();
	return n;
}

static unsigned long shrink_count(struct shrinker *unused,
				  struct shrink_control *control)
{
	return (count_all(HOSTROUTE_RANK_UNPROVEN) +
		count_all(HOSTROUTE_RANK_LEARNED)) ?: SHRINK_EMPTY;
}

/*
 * The unproven of all namespaces first, then the learned. From each namespace
 * in proportion to what it has: who has little must not pay for who has a lot.
 * What is left over of a share goes on to the next, and to the next time.
 */
static unsigned long shrink_scan(struct shrinker *unused,
				 struct shrink_control *control)
{
	enum hostroute_rank rank = HOSTROUTE_RANK_UNPROVEN;
	unsigned long total = count_all(rank), freed = 0;
	static atomic64_t rest;
	struct hostroute_net *hn;
	u64 owed, share;
	u32 count;

	if (!total) {
		rank = HOSTROUTE_RANK_LEARNED;
		total = count_all(rank);
	}
	if (!total)
		return SHRINK_STOP;
	owed = min_t(u64, atomic64_read(&rest), total - 1);
	rcu_read_lock();
	list_for_each_entry_rcu(hn, &all_nets, list) {
		count = hostroute_table_count_rank(&hn->table, rank);
		owed += (u64)control->nr_to_scan * count;
		share = div64_ul(owed, total);
		owed -= share * total;
		share = min_t(u64, share, count);
		if (!share)
			continue;
		freed += hostroute_table_shrink(&hn->table, share);
		hostroute_net_changed(hn);
	}
	rcu_read_unlock();
	atomic64_set(&rest, owed);
	return freed;
}

/* ---- namespaces ---------------------------------------------------------------------- */

/* Who loads the module does not pay for the namespaces that are there. */
static const struct task_struct *loading;

/*
 * The end of a namespace, or of the module in it: three steps with a grace
 * period before each.
 *
 * 1. The hooks are gone, and all that were running have ended. Waiting claims
 *    are the last that could be learned, and make clamps; waiting clamps are the
 *    last that could make clones. Sockets leave theirs.
 */
static void net_retire(struct hostroute_net *hn)
{
	hostroute_defer_net_exit(hn);
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
	mem_cgroup_put(hn->table.memcg);
	free_percpu(hn->stats);
}

/* The shrinker must not find a namespace after the next grace period. */
static void hide_from_shrinker(struct hostroute_net *hn)
{
	spin_lock(&all_nets_lock);
	list_del_rcu(&hn->list);
	spin_unlock(&all_nets_lock);
}

static int __net_init net_init(struct net *net)
{
	struct hostroute_net *hn = hostroute_net(net);
	int err;

	hn->net = net;
	hn->mode = READ_ONCE(hostroute_default_mode);
	hn->unproven = READ_ONCE(hostroute_default_unproven);
	hn->unproven_rate = READ_ONCE(hostroute_default_unproven_rate);
	spin_lock_init(&hn->budget_lock);
	INIT_DELAYED_WORK(&hn->sweep, sweep);
	hostroute_output_init(hn);
	hn->defer = READ_ONCE(hostroute_default_defer);
	hostroute_forward_init(hn);
	hostroute_socket_net_init(hn);
	hostroute_defer_net_init(hn);

	hn->stats = alloc_percpu(struct hostroute_stats);
	if (!hn->stats)
		return -ENOMEM;
	err = hostroute_table_init(&hn->table, hn->stats,
				   &hostroute_default_limits);
	if (err)
		goto err_stats;
	hn->table.owner = net->ns.inum;
	if (current != loading)
		hn->table.memcg = get_mem_cgroup_from_mm(current->mm);
	err = hostroute_proc_net_init(hn);
	if (err)
		goto err_table;
	hn->input_ops = input_ops;
	hn->input_ops.priv = hn;
	err = nf_register_net_hook(net, &hn->input_ops);
	if (err)
		goto err_proc;
	err = hostroute_forward_set(hn, READ_ONCE(hostroute_default_forward));
	if (err)
		goto err_hook;
	err = hostroute_sysfs_net_init(hn);
	if (err)
		goto err_hook;
	spin_lock(&all_nets_lock);
	list_add_tail_rcu(&hn->list, &all_nets);
	spin_unlock(&all_nets_lock);
	return 0;

err_hook:
	hostroute_forward_exit(hn);
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
	mem_cgroup_put(hn->table.memcg);
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
	hide_from_shrinker(hn);
	hostroute_forward_exit(hn);
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

/* Every namespace is there: true from after the first init to before the last
 * exit. RTNL, which every event comes under.
 */
static bool vrfs_followed;

static void follow_vrfs(bool follow)
{
	rtnl_lock();
	vrfs_followed = follow;
	rtnl_unlock();
}

static void device_gone(const struct net_device *dev)
{
	struct hostroute_net *hn;

	hostroute_route_device_gone(dev);
	/* Told once more, when its ifindex may be another's already? */
	if (dev->reg_state != NETREG_UNREGISTERING)
		return;
	if (!vrfs_followed || !netif_is_l3_master(dev))
		return;
	hn = hostroute_net(dev_net(dev));
	hostroute_table_forget_vrf(&hn->table, dev->ifindex);
	hostroute_net_changed(hn);
}

static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	switch (event) {
	case NETDEV_UNREGISTER:
		device_gone(dev);
		break;
	case NETDEV_CHANGEMTU:
		hostroute_route_device_mtu(dev);
		break;
	case NETDEV_UP:
	case NETDEV_CHANGE:
		hostroute_tunnel_up(dev);
		break;
	case NETDEV_DOWN:
		hostroute_tunnel_down(dev);
		break;
	}
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
	loading = current;
	err = register_pernet_subsys(&net_ops);
	loading = NULL;
	if (err)
		goto err_sysfs;
	err = -ENOMEM;
	shrinker = hostroute_compat_shrinker(HOSTROUTE_NAME, shrink_count,
					     shrink_scan);
	if (!shrinker)
		goto err_net;
	err = hostroute_device_init();
	if (err)
		goto err_shrinker;
	follow_vrfs(true);
	return 0;

err_shrinker:
	hostroute_compat_shrinker_free(shrinker);
err_net:
	unregister_pernet_subsys(&net_ops);
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
	follow_vrfs(false);
	hostroute_device_exit();
	hostroute_compat_shrinker_free(shrinker);
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
