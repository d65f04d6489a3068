/* SPDX-License-Identifier: GPL-2.0 */
/* One network namespace: its table, its settings, its clock. */
#ifndef HOSTROUTE_NET_H
#define HOSTROUTE_NET_H

#include "claim.h"
#include "hook.h"
#include "hostroute.h"
#include "stats.h"
#include "table.h"

#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/net_namespace.h>

#define HOSTROUTE_WAITING_BITS	6

/* Sockets that wait for something, one entry each; whose is said below. */
struct hostroute_waiting_list {
	spinlock_t		lock;	/* all but work and delay */
	unsigned int		count;	/* read by READ_ONCE() */
	struct list_head	list;
	DECLARE_HASHTABLE(hash, HOSTROUTE_WAITING_BITS);
	struct delayed_work	work;
	unsigned long		delay;	/* jiffies; the work's own */
};

/**
 * struct hostroute_net - one network namespace
 * @net:	the namespace
 * @table:	its host routes
 * @stats:	its counters
 * @set:	settings, one word each: written by src/settings.c (@forward by
 *		src/ipv4/forward.c), read by READ_ONCE()
 * @device_mtu:	smallest MTU set on one of its devices; written by src/device.c
 * @output:	the LOCAL_OUT hook
 * @input_ops:	only src/ipv4/input.c touches it
 * @forward:	only src/ipv4/forward.c touches it
 * @budget:	only src/net.c touches it; for unproven routes, ns
 * @sweep:	only src/net.c touches it; @at is boot time, ns
 * @clamp:	only src/clamp.c touches it
 * @defer:	only src/defer.c touches it
 * @shrinker:	only src/shrinker.c touches it
 * @dev:	only src/sysfs.c touches it
 */
struct hostroute_net {
	struct net			*net;
	struct hostroute_table		table;
	struct hostroute_stats __percpu	*stats;
	struct {
		u32	mode;		/* enum hostroute_mode */
		u32	unproven;	/* enum hostroute_unproven */
		u32	unproven_rate;	/* new ones a second, 0: any */
		u32	defer;		/* enum hostroute_defer */
		u32	forward;	/* enum hostroute_forward */
	} set;
	u32				device_mtu;
	struct hostroute_hook		output;
	struct nf_hook_ops		input_ops;
	struct {
		struct nf_hook_ops	ops;
		struct mutex		lock;	/* one that sets it */
	} forward;
	struct {
		spinlock_t		lock;	/* ns, at */
		u64			ns;
		u64			at;
	} budget;
	struct {
		struct delayed_work	work;
		atomic64_t		at;
	} sweep;
	struct hostroute_waiting_list	clamp;
	struct hostroute_waiting_list	defer;
	struct list_head		shrinker;
	struct device			*dev;
};

extern unsigned int hostroute_net_id;

struct hostroute_net *hostroute_net_of(const struct net *net);
void hostroute_net_init(struct hostroute_net *hn, struct net *net);
void hostroute_net_stop(struct hostroute_net *hn);
struct hostroute *hostroute_net_find(struct hostroute_net *hn,
				     const struct dst_entry *dst,
				     struct hostroute_addr daddr, bool unproven_too);
enum hostroute_outcome hostroute_net_learn(struct hostroute_net *hn,
					   const struct hostroute_claim *claim);
int hostroute_net_pin(struct hostroute_net *hn, const struct hostroute_key *key,
		      u32 mtu);
bool hostroute_net_may_record(struct hostroute_net *hn, u64 now);
void hostroute_net_changed(struct hostroute_net *hn);
void hostroute_net_resweep(struct hostroute_net *hn);
bool hostroute_net_applies(const struct hostroute_hook *hook);

#endif
