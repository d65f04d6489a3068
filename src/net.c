// SPDX-License-Identifier: GPL-2.0
/*
 * One network namespace: what follows from a change of its table. The sweep takes out
 * what has expired, and the LOCAL_OUT hook is registered while there is something to
 * apply.
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

/* However little there is to do, look this often, seconds. */
#define SWEEP_INTERVAL		30U

unsigned int hostroute_net_id __read_mostly;

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

	/* Whoever comes while it is not known when the next one is, asks for one. */
	atomic64_set(&hn->sweep.at, S64_MAX);
	next = hostroute_bulk_sweep(&hn->table, hostroute_now());
	hostroute_hook_update(&hn->output);
	if (!hostroute_table_count(&hn->table))
		return;
	/* A sweep of very many takes its time. */
	now = hostroute_now();
	end = now + (u64)SWEEP_INTERVAL * NSEC_PER_SEC;
	if (next)
		end = clamp_t(u64, next, now + NSEC_PER_SEC / 10, end);
	atomic64_set(&hn->sweep.at, end);
	/* The timer wheel may be an eighth late: come early, and once more. */
	delay = nsecs_to_jiffies(end - now);
	queue_delayed_work(hostroute_wq, &hn->sweep.work, delay - delay / 8 + 1);
}

/**
 * hostroute_net_resweep - sweep now, and find out when to sweep next
 * @hn: the namespace; what is due may have changed
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
 * hostroute_net_changed - the count or the mode may have changed
 * @hn: the namespace
 *
 * Context: any. Has the output hook registered or not, and the sweep due.
 */
void hostroute_net_changed(struct hostroute_net *hn)
{
	hostroute_hook_update(&hn->output);
	sweep_if_none_is_due(hn);
}

/* A route whose time is up before the next sweep moves it. */
static void sweep_in_time(struct hostroute_net *hn, u64 now, u32 life)
{
	if (life && now + (u64)life * NSEC_PER_SEC < atomic64_read(&hn->sweep.at))
		hostroute_net_resweep(hn);
}

/**
 * hostroute_net_applies - is there something to apply at LOCAL_OUT?
 * @hook: the namespace's
 */
bool hostroute_net_applies(const struct hostroute_hook *hook)
{
	const struct hostroute_net *hn = container_of(hook, struct hostroute_net, output);

	return (hostroute_table_count(&hn->table) || READ_ONCE(hn->device_mtu) != U32_MAX) &&
	       READ_ONCE(hn->set.mode) == HOSTROUTE_MODE_ENFORCE;
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
	/* What is forwarded as well: it is not known of this host's connections. */
	if (!unproven_too &&
	    hostroute_class_rank(READ_ONCE(route->class)) == HOSTROUTE_RANK_UNPROVEN)
		return NULL;
	return route;
}

/**
 * hostroute_net_learn - have a claim learned, and what follows from it seen to
 * @hn:		the namespace
 * @claim:	a claim that was believed
 *
 * Context: any but hardirq. Return: as hostroute_learn().
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
 * hostroute_net_pin - pin the administrator's host route
 * @hn:		the namespace
 * @key:	destination and VRF
 * @mtu:	bytes
 *
 * Context: process.
 * Return: as hostroute_admin_pin(); -ENODEV if the VRF went meanwhile.
 */
int hostroute_net_pin(struct hostroute_net *hn, const struct hostroute_key *key,
		      u32 mtu)
{
	int err = hostroute_admin_pin(&hn->table, key, mtu, hostroute_now());

	/* A VRF is off the list of devices before its routes are forgotten: one
	 * that is gone may have missed this one.
	 */
	if (!err && key->l3mdev && !vrf_exists(hn->net, key->l3mdev)) {
		hostroute_bulk_forget_vrf(&hn->table, key->l3mdev);
		err = -ENODEV;
	}
	if (!err)
		hostroute_net_changed(hn);
	return err;
}

/* Before the table is used. */
void hostroute_net_init(struct hostroute_net *hn, struct net *net)
{
	hn->net = net;
	hn->device_mtu = U32_MAX;
	spin_lock_init(&hn->budget.lock);
	INIT_DELAYED_WORK(&hn->sweep.work, sweep);
}

/* Nothing is learned any more. Context: process, may sleep. */
void hostroute_net_stop(struct hostroute_net *hn)
{
	cancel_delayed_work_sync(&hn->sweep.work);
	hostroute_hook_end(&hn->output);
}
