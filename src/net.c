// SPDX-License-Identifier: GPL-2.0
/*
 * One network namespace: what follows from a change of its table. A sweep takes out
 * what has expired, and the LOCAL_OUT hook is registered while there is something to
 * apply. New unproven routes have a budget.
 *
 * This file decides when that happens. Changing the table is up to src/learn.c,
 * src/admin.c and src/bulk.c, and src/ipv4/output.c is the hook.
 */
#include "net.h"
#include "../pmtu_hostroute.h"
#include "admin.h"
#include "bulk.h"
#include "index.h"
#include "ipv4/stock.h"
#include "learn.h"

#include <linux/random.h>
#include <net/netns/generic.h>

/* Longest time between two sweeps while the table has a route, seconds. */
#define SWEEP_INTERVAL		30U

unsigned int hostroute_net_id __read_mostly;

/**
 * hostroute_net_of - this module's part of a namespace
 * @net: the namespace
 *
 * Context: any, between net_init() and the end of net_exit_batch() for @net.
 * Return: it, never NULL.
 */
struct hostroute_net *hostroute_net_of(const struct net *net)
{
	return net_generic(net, hostroute_net_id);
}

static void sweep(struct work_struct *work)
{
	struct hostroute_net *hn = container_of(to_delayed_work(work),
						struct hostroute_net, sweep.work);
	unsigned long delay;
	u64 now, next, end;

	/* The time of the next sweep is not known yet. Until it is, each new route
	 * asks for a sweep, see sweep_in_time().
	 */
	atomic64_set(&hn->sweep.at, S64_MAX);
	next = hostroute_bulk_sweep(&hn->table, hostroute_now());
	hostroute_hook_update(&hn->output);
	if (!hostroute_table_count(&hn->table))
		return;
	/* The sweep of a large table takes a while: read the clock again. */
	now = hostroute_now();
	end = now + (u64)SWEEP_INTERVAL * NSEC_PER_SEC;
	if (next)
		end = clamp_t(u64, next, now + NSEC_PER_SEC / 10, end);
	atomic64_set(&hn->sweep.at, end);
	/* The timer wheel may be late by an eighth of the delay. So come an eighth
	 * early, and once more if nothing is due yet.
	 */
	delay = nsecs_to_jiffies(end - now);
	queue_delayed_work(hostroute_wq, &hn->sweep.work, delay - delay / 8 + 1);
}

/**
 * hostroute_net_resweep - sweep now, and find out when to sweep next
 * @hn: the namespace; what is due, and when, may have changed
 *
 * Context: any.
 */
void hostroute_net_resweep(struct hostroute_net *hn)
{
	mod_delayed_work(hostroute_wq, &hn->sweep.work, 0);
}

static void sweep_if_none_is_due(struct hostroute_net *hn)
{
	if (hostroute_table_count(&hn->table))
		queue_delayed_work(hostroute_wq, &hn->sweep.work, 0);
}

/**
 * hostroute_net_changed - the table's count or the mode may have changed
 * @hn: the namespace
 *
 * The LOCAL_OUT hook is registered or unregistered, and a sweep is queued if there are
 * routes and none is queued.
 *
 * Context: any.
 */
void hostroute_net_changed(struct hostroute_net *hn)
{
	hostroute_hook_update(&hn->output);
	sweep_if_none_is_due(hn);
}

/* A route that lives @life seconds (0: for ever) must not wait for a later sweep. */
static void sweep_in_time(struct hostroute_net *hn, u64 now, u32 life)
{
	if (life && now + (u64)life * NSEC_PER_SEC < atomic64_read(&hn->sweep.at))
		hostroute_net_resweep(hn);
}

/**
 * hostroute_net_applies - is there something to apply at LOCAL_OUT?
 * @hook: the LOCAL_OUT hook of a namespace
 *
 * Context: any.
 * Return: true if there is a host route or an MTU set on a device, and mode=enforce.
 */
bool hostroute_net_applies(const struct hostroute_hook *hook)
{
	const struct hostroute_net *hn = container_of(hook, struct hostroute_net, output);

	return (hostroute_table_count(&hn->table) || READ_ONCE(hn->device_mtu) != U32_MAX) &&
	       READ_ONCE(hn->set.mode) == HOSTROUTE_MODE_ENFORCE;
}

/**
 * hostroute_net_find - find the host route that applies to a packet or a socket
 * @hn:		the namespace
 * @dst:	the route that it has: a stock route, or a clone
 * @daddr:	its destination
 * @unproven_too: also a route of the unproven rank; for datagrams only
 *
 * Context: RCU.
 * Return: the host route. NULL if there is none, if it has expired, or if @dst is of a
 * kind that is left alone (hostroute_stock_clonable()).
 */
struct hostroute *hostroute_net_find(struct hostroute_net *hn,
				     const struct dst_entry *dst,
				     struct hostroute_addr daddr, bool unproven_too)
{
	struct hostroute_key key = { .daddr = daddr };
	struct hostroute *route;

	if (!hostroute_stock_clonable(dst) && !hostroute_clone_is_own(dst))
		return NULL;
	key.l3mdev = hostroute_l3mdev(dst->dev);
	route = hostroute_index_find(&hn->table, &key);
	if (!route || hostroute_table_expired(&hn->table, route, hostroute_now()))
		return NULL;
	/* Forwarded routes are of this rank, too: this host's connections do not vouch
	 * for them.
	 */
	if (!unproven_too &&
	    hostroute_class_rank(READ_ONCE(route->class)) == HOSTROUTE_RANK_UNPROVEN)
		return NULL;
	return route;
}

/**
 * hostroute_net_learn - apply a claim to the table, and do what follows from it
 * @hn:		the namespace
 * @claim:	a claim that was believed
 *
 * Registers the LOCAL_OUT hook and brings the sweep forward if need be.
 *
 * Context: any but hardirq.
 * Return: as hostroute_learn().
 */
enum hostroute_outcome hostroute_net_learn(struct hostroute_net *hn,
					   const struct hostroute_claim *claim)
{
	bool unproven = hostroute_class_rank(claim->class) == HOSTROUTE_RANK_UNPROVEN;
	const struct hostroute_limits *limits = &hn->table.limits;
	enum hostroute_outcome outcome;

	outcome = hostroute_learn(&hn->table, claim);
	if (claim->dry_run)
		return outcome;
	switch (outcome) {
	case HOSTROUTE_LEARNED:
	case HOSTROUTE_CONFIRMED:
		sweep_if_none_is_due(hn);
		hostroute_hook_need(&hn->output);
		fallthrough;
	case HOSTROUTE_LOWERED:		/* maybe pinned: only for a while */
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
 * @hn:		the namespace
 * @now:	boot time, ns
 *
 * A token bucket, filled with time: unproven_rate routes a second (0: any number), at
 * most two seconds' worth. The price of a route is random, from half to one and a half
 * times its share of a second, so that an attacker cannot count what others have used.
 * The caller asks before it looks at anything secret.
 *
 * Context: any but hardirq.
 * Return: true if there was, and it has been spent.
 */
bool hostroute_net_may_record(struct hostroute_net *hn, u64 now)
{
	u32 rate = READ_ONCE(hn->set.unproven_rate);
	u32 cost;
	bool may;

	if (!rate)
		return true;
	cost = NSEC_PER_SEC / rate;
	cost = cost / 2 + reciprocal_scale(get_random_u32(), cost);
	spin_lock_bh(&hn->budget.lock);
	if (now > hn->budget.at) {
		hn->budget.ns = min_t(u64, hn->budget.ns + now - hn->budget.at,
				      2 * NSEC_PER_SEC);
		hn->budget.at = now;
	}
	may = hn->budget.ns >= cost;
	if (may)
		hn->budget.ns -= cost;
	spin_unlock_bh(&hn->budget.lock);
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
 * hostroute_net_pin - pin a host route for the administrator
 * @hn:		the namespace
 * @key:	destination and VRF
 * @mtu:	bytes
 *
 * Context: process, may sleep.
 * Return: as hostroute_admin_pin(); -ENODEV if the VRF went meanwhile.
 */
int hostroute_net_pin(struct hostroute_net *hn, const struct hostroute_key *key,
		      u32 mtu)
{
	int err = hostroute_admin_pin(&hn->table, key, mtu, hostroute_now());

	/* A VRF leaves the list of devices before its routes are forgotten. So if it
	 * is gone by now, this route may have come too late to be forgotten with them.
	 */
	if (!err && key->l3mdev && !vrf_exists(hn->net, key->l3mdev)) {
		hostroute_bulk_forget_vrf(&hn->table, key->l3mdev);
		err = -ENODEV;
	}
	if (!err)
		hostroute_net_changed(hn);
	return err;
}

/**
 * hostroute_net_init - initialize the budget and the sweep
 * @hn:		zeroed
 * @net:	the namespace
 *
 * Context: process; before the table is used.
 */
void hostroute_net_init(struct hostroute_net *hn, struct net *net)
{
	hn->net = net;
	hn->device_mtu = U32_MAX;
	spin_lock_init(&hn->budget.lock);
	INIT_DELAYED_WORK(&hn->sweep.work, sweep);
}

/**
 * hostroute_net_stop - stop the sweep, and updates of the LOCAL_OUT hook
 * @hn: the namespace; nothing is learned any more
 *
 * Context: process, may sleep.
 */
void hostroute_net_stop(struct hostroute_net *hn)
{
	cancel_delayed_work_sync(&hn->sweep.work);
	hostroute_hook_end(&hn->output);
}
