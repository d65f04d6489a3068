// SPDX-License-Identifier: GPL-2.0
/*
 * pmtu_hostroute - host routes for what path MTU discovery learns
 *
 * Theory of operation
 *
 * Linux keeps a learned path MTU as an exception of a next hop. This module keeps it
 * as a host route: one entry for each destination, in a table of its network namespace
 * that has a maximum, can be listed and is counted exactly. It takes over reception of
 * ICMP "fragmentation needed" (RFC 792 type 3 code 4, RFC 1191) for TCP, UDP and Echo.
 *
 * Four kinds of route have four names. A host route (struct hostroute) is what is known
 * about one destination. A clone (struct hostroute_clone) is a dst_entry that sockets
 * and packets hold in its place. A stock route is the kernel's own, of which a clone is
 * made. A device route is a struct hostroute outside the table, for a device on which
 * the administrator has set an MTU.
 *
 *   LOCAL_IN   src/ipv4/input.c takes the message. src/ipv4/icmp.c parses it and checks
 *              what it says. src/ipv4/facts.c checks it against public facts of this
 *              host: addresses and routes. src/ipv4/act.c looks for the connection that
 *              it quotes, and src/proof.c checks whether that has the quoted byte in
 *              flight. src/defer.c delays a claim that conflicts with data the peer has
 *              already acknowledged. src/learn.c adds or lowers the host route.
 *              src/clamp.c puts the connection's socket under it.
 *   LOCAL_OUT  src/ipv4/output.c puts TCP packets to a known destination, and their
 *              sockets, under the host route; src/ipv4/datagram.c does it for other
 *              packets. src/ipv4/stock.c finds or makes the clone.
 *   FORWARD    src/ipv4/forward.c learns from messages that pass this router, and
 *              lowers the MSS option of SYNs that do (src/mss.c).
 *   sysfs      The administrator changes settings (src/settings.c), pins host routes
 *              and deletes them (src/admin.c), and sets the MTU that this host uses on
 *              a device (src/device.c).
 *   clock      The sweep in src/net.c takes out what has expired (src/bulk.c).
 *   memory     src/shrinker.c gives back host routes that can be learned again.
 *
 * A message that was acted on or refused does not reach the stock path. A message about
 * another protocol, or one that cannot be acted on, does, unchanged. Nothing can prove
 * what a quote of a datagram or an Echo claims. Such a claim goes on record in a share
 * of the table of its own, which applies to datagrams only, and src/ipv4/report.c gives
 * the error to the socket that sent the datagram, if there is one.
 *
 * With mode=observe all messages reach the stock path: each file reports what it would
 * have done, and does nothing. The same names are used for the counters (src/stats.c)
 * and the tracepoints (src/trace.c).
 *
 * src/FLOORS has the order of the files: each uses only those listed before it.
 * Documentation/design.rst lists the functions that a message and a packet pass.
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
 *     lru, of one that is to be freed nothing (its last owner) the same
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
 *   clone: rt_uncached, list of all   all_lock (clone.c)       all_lock
 *   clone: route                      once when made; to NULL  RCU
 *                                     under all_lock
 *   clone: its dst->ops               before it is in a set or  nothing
 *                                     a socket; all_lock when
 *                                     disowned
 *   clone: RTAX_MTU, obsolete         all_lock                 nothing (one word)
 *   clone: own, of_device             once when made           nothing
 *   clone: rt_pmtu, rt_mtu_locked,    all_lock                 nothing (one word)
 *     expires
 *   device route: mtu, clones, id     table->lock of the       RCU, READ_ONCE();
 *                                     device's namespace       id: table->lock
 *   override: node, dev, mtu          entries_lock (mutex)     RCU; entries_lock
 *   device entry: list, hn, paths     entries_lock (mutex)     RCU; entries_lock
 *     (device.c)
 *   hostroute_net: device_mtu         entries_lock (mutex)     READ_ONCE()
 *   hostroute_net: budget             budget.lock              budget.lock
 *   hostroute_net: clamps             clamps.lock              clamps.lock
 *   hostroute_net: clamps.count       clamps.lock              READ_ONCE()
 *   hostroute_net: clamps.delay       nothing (one word)       READ_ONCE()
 *   hostroute_net: deferred           deferred.lock            deferred.lock
 *   hostroute_net: deferred.count     deferred.lock            READ_ONCE()
 *   waiting claim: its fields         its socket's spinlock    its socket's
 *                                     and deferred.lock        spinlock
 *   hook: on, dying                   hook->lock (mutex)       READ_ONCE()
 *   hostroute_net: set.forward        forward_hook.lock        READ_ONCE()
 *                                     (mutex)
 *   hostroute_net: set, other;        nothing (one word)       READ_ONCE()
 *     sweep.at
 *   list of namespaces (shrinker.c)   all_nets_lock            RCU
 *   list of tunnels (tunnel.c)        RTNL                     RCU
 *   vrfs_followed                     RTNL                     RTNL
 *   sk->sk_dst_cache of TCP           owner of the socket      RCU
 *   sk->sk_dst_cache of UDP, raw      nothing (cmpxchg)        RCU
 *
 * Order: admin -> table->lock; socket -> table->lock -> all_lock; socket -> clamps.lock;
 * socket -> deferred.lock; RTNL -> entries_lock -> table->lock. RTNL -> a device's open
 * files -> entries_lock: no file takes RTNL, and no file is removed under entries_lock.
 * hook->lock and forward_hook.lock -> netfilter's own. All spinlocks
 * are taken with BH off, but all_nets_lock, which is for process context alone. No
 * allocation sleeps under a spinlock, and the shrinker takes table->lock alone: so it may
 * run anywhere.
 * Tracepoints fire under the spinlocks of the table and of sockets. They read what these
 * guard, and take no lock.
 *
 * Lifetime
 *
 *   host route: The table has a reference while it is linked, each clone has one. Freed
 *     by RCU after the last.
 *   clone: The host route's set has a reference, dropped a grace period after the clone
 *     left the set; each socket and packet has one. Freed with its dst_entry. A socket's
 *     own clone is in no set.
 *   queued clamp: Holds its socket. Dropped when its namespace goes. (A user's socket
 *     keeps its namespace, so then there is none.)
 *   waiting claim: Holds its socket until an ACK, a timeout or the socket's end, for four
 *     minutes at most. Dropped when its namespace, or the module, goes.
 *   device going: Its clones are moved to the blackhole device. Its entry is freed by
 *     RCU, after its files. A tunnel leaves the list when it goes down, a grace period
 *     before it is freed. A device that goes to another namespace gets new device routes
 *     there; its old ones are dead by then.
 *   VRF going: Its host routes go with it.
 *   namespace going, module going: First the files and the shrinker, then the hooks, then
 *     waiting claims, then queued clamps, then the clones that sockets still hold, which
 *     become plain obsolete routes, then host routes. When the module goes, the devices'
 *     files and routes go before all that.
 *   memory cgroup: The table's reference keeps it, dropped after the host routes.
 */
#include "pmtu_hostroute.h"
#include "src/bulk.h"
#include "src/clamp.h"
#include "src/clone.h"
#include "src/defer.h"
#include "src/device.h"
#include "src/index.h"
#include "src/ipv4/forward.h"
#include "src/ipv4/input.h"
#include "src/ipv4/local.h"
#include "src/ipv4/ops.h"
#include "src/ipv4/output.h"
#include "src/ipv4/tunnel.h"
#include "src/listing.h"
#include "src/settings.h"
#include "src/shrinker.h"
#include "src/sysfs.h"

#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/rtnetlink.h>

/* ---- namespaces ---------------------------------------------------------------------- */

/* The task that loads the module does not pay for the namespaces that are there. */
static const struct task_struct *loading;

/*
 * The end of a namespace, or of the module in it: three steps with a grace period before
 * each.
 *
 * 1. The hooks are gone, and all that were running have ended. Waiting claims are the
 *    last that could be learned, and they make clamps. Queued clamps are the last that
 *    could make clones. Sockets leave their clones.
 */
static void net_retire(struct hostroute_net *hn)
{
	hostroute_defer_net_exit(hn);
	hostroute_clamp_net_exit(hn);
	hostroute_clone_retire_all(hn->net);
}

/* 2. No packet is on its way on a clone. */
static void net_disown(struct hostroute_net *hn)
{
	hostroute_clone_disown_all(hn->net);
}

/* 3. No CPU is inside hostroute_local_update_pmtu(): nothing is learned, no work queued. */
static void net_release(struct hostroute_net *hn)
{
	hostroute_net_stop(hn);
	hostroute_listing_net_exit(hn);
	hostroute_bulk_flush(&hn->table, true);
	hostroute_index_exit(&hn->table);
	mem_cgroup_put(hn->table.memcg);
	free_percpu(hn->stats);
}

/* What is in memory alone. */
static int net_prepare(struct hostroute_net *hn, struct net *net)
{
	int err;

	hostroute_net_init(hn, net);
	hostroute_settings_net_init(hn);
	hostroute_output_init(hn);
	hostroute_forward_init(hn);
	hostroute_clamp_net_init(hn);
	hostroute_defer_net_init(hn);

	hn->stats = alloc_percpu(struct hostroute_stats);
	if (!hn->stats)
		return -ENOMEM;
	err = hostroute_index_init(&hn->table, hn->stats, hostroute_settings_limits());
	if (err)
		goto err_stats;
	hn->table.owner = net->ns.inum;
	if (current != loading)
		hn->table.memcg = get_mem_cgroup_from_mm(current->mm);
	err = hostroute_listing_net_init(hn);
	if (err)
		goto err_table;
	return 0;

err_table:
	hostroute_index_exit(&hn->table);
	mem_cgroup_put(hn->table.memcg);
err_stats:
	free_percpu(hn->stats);
	return err;
}

static int __net_init net_init(struct net *net)
{
	struct hostroute_net *hn = hostroute_net_of(net);
	int err;

	err = net_prepare(hn, net);
	if (err)
		return err;
	err = hostroute_input_init(hn);
	if (err)
		goto err_prepared;
	err = hostroute_forward_set(hn, hostroute_settings_forward());
	if (err)
		goto err_hook;
	err = hostroute_sysfs_net_init(hn);
	if (err)
		goto err_hook;
	hostroute_shrinker_add(hn);
	return 0;

err_hook:
	hostroute_forward_exit(hn);
	hostroute_input_exit(hn);
err_prepared:
	hostroute_hook_exit(&hn->output);
	synchronize_rcu();
	net_retire(hn);
	synchronize_rcu();
	net_disown(hn);
	synchronize_rcu();
	net_release(hn);
	return err;
}

/* No new work: user space and the wire first. The core waits for a grace period before
 * net_exit_batch(), so no hook is running then.
 */
static void __net_exit net_pre_exit(struct net *net)
{
	struct hostroute_net *hn = hostroute_net_of(net);

	hostroute_sysfs_net_exit(hn);
	hostroute_shrinker_remove(hn);
	hostroute_forward_exit(hn);
	hostroute_input_exit(hn);
	hostroute_hook_exit(&hn->output);
}

static void __net_exit net_exit_batch(struct list_head *nets)
{
	struct net *net;

	list_for_each_entry(net, nets, exit_list)
		net_retire(hostroute_net_of(net));
	synchronize_rcu();
	list_for_each_entry(net, nets, exit_list)
		net_disown(hostroute_net_of(net));
	synchronize_rcu();
	list_for_each_entry(net, nets, exit_list)
		net_release(hostroute_net_of(net));
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
	.exit_batch = net_exit_batch,
	.id = &hostroute_net_id,
	.size = sizeof(struct hostroute_net),
};

/* ---- devices ---------------------------------------------------------------------------- */

/* Every namespace is there: true from after the first init to before the last exit.
 * Under RTNL, as every event.
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

	hostroute_clone_device_gone(dev);
	/* The event may come once more, when another device has its ifindex. */
	if (dev->reg_state != NETREG_UNREGISTERING)
		return;
	if (!vrfs_followed || !netif_is_l3_master(dev))
		return;
	hn = hostroute_net_of(dev_net(dev));
	hostroute_bulk_forget_vrf(&hn->table, dev->ifindex);
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
		hostroute_clone_device_mtu(dev);
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

	hostroute_index_module_init();
	err = hostroute_hook_module_init();
	if (err)
		return err;
	err = hostroute_slab_init();
	if (err)
		goto err_wq;
	err = hostroute_ops_init(hostroute_local_update_pmtu);
	if (err)
		goto err_slab;
	err = register_netdevice_notifier(&device_notifier);
	if (err)
		goto err_clone;
	err = hostroute_sysfs_init();
	if (err)
		goto err_notifier;
	loading = current;
	err = register_pernet_subsys(&net_ops);
	loading = NULL;
	if (err)
		goto err_sysfs;
	err = hostroute_shrinker_init();
	if (err)
		goto err_net;
	err = hostroute_device_init();
	if (err)
		goto err_shrinker;
	follow_vrfs(true);
	return 0;

err_shrinker:
	hostroute_shrinker_exit();
err_net:
	unregister_pernet_subsys(&net_ops);
err_sysfs:
	hostroute_sysfs_exit();
err_notifier:
	unregister_netdevice_notifier(&device_notifier);
err_clone:
	hostroute_ops_exit();
err_slab:
	hostroute_slab_exit();
err_wq:
	hostroute_hook_module_exit();
	return err;
}

static void __exit hostroute_exit(void)
{
	follow_vrfs(false);
	hostroute_device_exit();
	hostroute_shrinker_exit();
	unregister_pernet_subsys(&net_ops);
	hostroute_sysfs_exit();
	unregister_netdevice_notifier(&device_notifier);
	hostroute_ops_exit();
	hostroute_slab_exit();
	hostroute_hook_module_exit();
}

module_init(hostroute_init);
module_exit(hostroute_exit);

MODULE_DESCRIPTION("Host routes for path MTU discovery (RFC 1191)");
MODULE_LICENSE("GPL");
