/* SPDX-License-Identifier: GPL-2.0 */
/* One network namespace: its table, its settings, its sweep, and what waits in it. */
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

/* Sockets that wait for something, with one entry each. struct hostroute_net says
 * which file a list belongs to.
 */
struct hostroute_waiting_list {
	spinlock_t		lock;	/* guards list, hash and changes of count */
	unsigned int		count;	/* also read with READ_ONCE() */
	struct list_head	list;
	DECLARE_HASHTABLE(hash, HOSTROUTE_WAITING_BITS);
	struct delayed_work	work;
	unsigned long		delay;	/* jiffies to the next try; src/clamp.c only */
};

/**
 * struct hostroute_net - this module's part of one network namespace
 * @net:	the namespace
 * @table:	its host routes. Files above the table's floor pass it on, and read its
 *		counts, smallest MTUs, limits, memcg, owner and stats. Apart from that,
 *		src/settings.c writes limits, pmtu_hostroute.c sets memcg and owner,
 *		and src/ipv4/stock.c adds clones under its lock.
 * @stats:	its counters, for any file to count in
 * @set:	settings, one word each, which other files read with READ_ONCE().
 *		src/settings.c writes them. @set.forward is an exception: once the
 *		namespace is complete only src/ipv4/forward.c writes it, under
 *		@forward.lock.
 * @device_mtu:	smallest MTU set on one of its devices, bytes, U32_MAX if none is; any
 *		file reads it with READ_ONCE(), and src/device.c alone writes it after
 *		src/net.c has initialized it
 * @output:	the LOCAL_OUT hook. src/ipv4/output.c prepares it; pmtu_hostroute.c,
 *		src/net.c, src/device.c and src/settings.c pass it to the functions of
 *		src/hook.c, which alone touches its fields
 * @input_ops:	the LOCAL_IN hook; only src/ipv4/input.c touches it
 * @forward:	the FORWARD hook; only src/ipv4/forward.c touches it
 * @budget:	for new unproven routes; only src/net.c touches it. @budget.ns is what
 *		is left, @budget.at is boot time of the last top-up, ns
 * @sweep:	only src/net.c touches it. @sweep.at is boot time of the next sweep,
 *		ns; S64_MAX: not known
 * @clamp:	queued clamps; only src/clamp.c touches it
 * @defer:	claims that wait; only src/defer.c touches it
 * @shrinker:	in the list of namespaces; only src/shrinker.c touches it
 * @dev:	the sysfs directory; only src/sysfs.c touches it
 */
struct hostroute_net {
	struct net			*net;
	struct hostroute_table		table;
	struct hostroute_stats __percpu	*stats;
	struct {
		u32	mode;		/* enum hostroute_mode */
		u32	unproven;	/* enum hostroute_unproven */
		u32	unproven_rate;	/* new routes a second, 0: any number */
		u32	defer;		/* enum hostroute_defer */
		u32	forward;	/* enum hostroute_forward */
	} set;
	u32				device_mtu;
	struct hostroute_hook		output;
	struct nf_hook_ops		input_ops;
	struct {
		struct nf_hook_ops	ops;
		struct mutex		lock;	/* serializes hostroute_forward_set() */
	} forward;
	struct {
		spinlock_t		lock;	/* guards ns and at */
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
