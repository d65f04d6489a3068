/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pmtu_hostroute - host routes for what path MTU discovery learns (RFC 1191)
 *
 * The one internal header, a section for each room. Calls go one way only:
 * icmp -> facts -> proof -> table -> route -> socket. What guards which field is in
 * the table at the top of pmtu_hostroute.c.
 */
#ifndef PMTU_HOSTROUTE_H
#define PMTU_HOSTROUTE_H

#include <linux/hashtable.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint-defs.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/net_namespace.h>
#include <net/route.h>

#define HOSTROUTE_NAME	"pmtu_hostroute"

/* RFC 791: every host must take a datagram of 68 bytes. */
#define HOSTROUTE_MTU_MIN	68U
#define HOSTROUTE_MTU_MAX	65535U

/* Every default and every range, once; sysfs, module parameters and tests
 * draw on these.
 */
#define HOSTROUTE_MAX_ROUTES_DEFAULT	10000U
#define HOSTROUTE_MAX_ROUTES_MAX	0x7FFFFFFEU
#define HOSTROUTE_MAX_UNPROVEN_AUTO	U32_MAX		/* max_routes / 8 */
#define HOSTROUTE_UNPROVEN_SHARE	8U
#define HOSTROUTE_MIN_MTU_DEFAULT	HOSTROUTE_MTU_MIN
#define HOSTROUTE_MIN_MTU_UNPROVEN_DEFAULT 552U		/* as ip_rt_min_pmtu */
#define HOSTROUTE_EXPIRE_DEFAULT	600U		/* seconds, RFC 1191 6.3 */
#define HOSTROUTE_EXPIRE_UNPROVEN_DEFAULT 60U		/* seconds */
#define HOSTROUTE_UNPROVEN_RATE_DEFAULT	100U		/* a second */
#define HOSTROUTE_UNPROVEN_RATE_MAX	1000000U
#define HOSTROUTE_EXPIRE_MAX		0x7FFFFFFFU	/* seconds */

enum hostroute_mode {
	HOSTROUTE_MODE_ENFORCE,
	HOSTROUTE_MODE_OBSERVE,
	HOSTROUTE_MODE_OFF,
};

/* What becomes of claims that nothing can prove. */
enum hostroute_unproven {
	HOSTROUTE_UNPROVEN_ISOLATE,	/* a share of their own, for datagrams */
	HOSTROUTE_UNPROVEN_IGNORE,
};

enum hostroute_at_limit {
	HOSTROUTE_AT_LIMIT_EVICT,
	HOSTROUTE_AT_LIMIT_IGNORE,
};

enum hostroute_defer {
	HOSTROUTE_DEFER_ON,
	HOSTROUTE_DEFER_OFF,
};

enum hostroute_forward {
	HOSTROUTE_FORWARD_OFF,
	HOSTROUTE_FORWARD_CLAMP,
	HOSTROUTE_FORWARD_CLAMP_UNTRACKED,
};

/* ---- stats: every outcome, its counter and its verdict -------------------- */

/*
 * X(symbol, name under stats/, what the hook does with the message)
 *
 * CONSUME: it was acted on or refused, and the stock path must not see it.
 * PASS: the stock path gets it untouched.
 * EVENT: no message's outcome, only a counter.
 */
#define HOSTROUTE_OUTCOMES(X)						\
	X(RECEIVED,		"received",		EVENT)		\
	X(LEARNED,		"learned",		CONSUME)	\
	X(LOWERED,		"lowered",		CONSUME)	\
	X(REFRESHED,		"refreshed",		CONSUME)	\
	X(CONFIRMED,		"confirmed",		CONSUME)	\
	X(RECORDED,		"recorded",		CONSUME)	\
	X(OUTRANKED,		"outranked",		CONSUME)	\
	X(DEFERRED,		"deferred",		CONSUME)	\
	X(PASSED_DISABLED,	"passed_disabled",	PASS)		\
	X(PASSED_ENCAP,		"passed_encap",		PASS)		\
	X(PASSED_PROTOCOL,	"passed_protocol",	PASS)		\
	X(PASSED_ROUTE,		"passed_route",		PASS)		\
	X(PASSED_POLICY,	"passed_policy",	PASS)		\
	X(PASSED_MEMORY,	"passed_memory",	PASS)		\
	X(IGNORED_TRUNCATED,	"ignored_truncated",	CONSUME)	\
	X(IGNORED_CHECKSUM,	"ignored_checksum",	CONSUME)	\
	X(IGNORED_OUTER,	"ignored_outer",	CONSUME)	\
	X(IGNORED_ROUTER,	"ignored_router",	CONSUME)	\
	X(IGNORED_QUOTE,	"ignored_quote",	CONSUME)	\
	X(IGNORED_SOURCE,	"ignored_source",	CONSUME)	\
	X(IGNORED_DESTINATION,	"ignored_destination",	CONSUME)	\
	X(IGNORED_ICMP,		"ignored_icmp",		CONSUME)	\
	X(IGNORED_LOCKED,	"ignored_locked",	CONSUME)	\
	X(IGNORED_ON_LINK,	"ignored_on_link",	CONSUME)	\
	X(IGNORED_FRAGMENT,	"ignored_fragment",	CONSUME)	\
	X(IGNORED_DF,		"ignored_df",		CONSUME)	\
	X(IGNORED_FITS,		"ignored_fits",		CONSUME)	\
	X(IGNORED_MTU,		"ignored_mtu",		CONSUME)	\
	X(IGNORED_NO_SOCKET,	"ignored_no_socket",	CONSUME)	\
	X(IGNORED_STATE,	"ignored_state",	CONSUME)	\
	X(IGNORED_SEQUENCE,	"ignored_sequence",	CONSUME)	\
	X(IGNORED_TTL,		"ignored_ttl",		CONSUME)	\
	X(IGNORED_AO,		"ignored_ao",		CONSUME)	\
	X(IGNORED_NOT_SMALLER,	"ignored_not_smaller",	CONSUME)	\
	X(IGNORED_FULL,		"ignored_full",		CONSUME)	\
	X(IGNORED_RATE,		"ignored_rate",		CONSUME)	\
	X(IGNORED_MEMORY,	"ignored_memory",	CONSUME)	\
	X(IGNORED_UNPROVEN,	"ignored_unproven",	CONSUME)	\
	X(IGNORED_CONTRADICTED,	"ignored_contradicted",	CONSUME)	\
	X(QUOTED_CHECKSUM,	"quoted_checksum",	EVENT)		\
	X(ADDED,		"added",		EVENT)		\
	X(PINNED,		"pinned",		EVENT)		\
	X(RESTORED,		"restored",		EVENT)		\
	X(EVICTED,		"evicted",		EVENT)		\
	X(RECLAIMED,		"reclaimed",		EVENT)		\
	X(EXPIRED,		"expired",		EVENT)		\
	X(DELETED,		"deleted",		EVENT)		\
	X(FLUSHED,		"flushed",		EVENT)		\
	X(SYN_DATA_DROPPED,	"syn_data_dropped",	EVENT)		\
	X(CLONED,		"cloned",		EVENT)		\
	X(CLAMPED,		"clamped",		EVENT)		\
	X(CLAMP_QUEUED,	"clamp_queued",		EVENT)		\
	X(CLAMP_SKIPPED,	"clamp_skipped",	EVENT)		\
	X(RESEGMENTED,		"resegmented",		EVENT)		\
	X(REPORTED,		"reported",		EVENT)		\
	X(OWN_ROUTE,		"own_route",		EVENT)		\
	X(FRAGMENTED,		"fragmented",		EVENT)		\
	X(TOO_BIG,		"too_big",		EVENT)		\
	X(DEFERRED_APPLIED,	"deferred_applied",	EVENT)		\
	X(DEFERRED_CLEARED,	"deferred_cleared",	EVENT)		\
	X(DEFERRED_DROPPED,	"deferred_dropped",	EVENT)		\
	X(CLAMPED_MSS,		"clamped_mss",		EVENT)		\
	X(FORWARD_RECEIVED,	"forward_received",	EVENT)		\
	X(FORWARD_LEARNED,	"forward_learned",	EVENT)		\
	X(FORWARD_LOWERED,	"forward_lowered",	EVENT)		\
	X(FORWARD_REFRESHED,	"forward_refreshed",	EVENT)		\
	X(FORWARD_REFUSED,	"forward_refused",	EVENT)		\
	X(FORWARD_PROTOCOL,	"forward_protocol",	EVENT)		\
	X(FORWARD_UNTRACKED,	"forward_untracked",	EVENT)		\
	X(FORWARD_ROUTE,	"forward_route",	EVENT)		\
	X(FORWARD_NOT_SMALLER,	"forward_not_smaller",	EVENT)		\
	X(FORWARD_OUTRANKED,	"forward_outranked",	EVENT)		\
	X(FORWARD_FULL,		"forward_full",		EVENT)		\
	X(FORWARD_RATE,		"forward_rate",		EVENT)		\
	X(FORWARD_CLAMPED,	"forward_clamped",	EVENT)		\
	X(FORWARD_NO_MSS,	"forward_no_mss",	EVENT)		\
	X(FORWARD_MALFORMED,	"forward_malformed",	EVENT)		\
	X(FORWARD_SIGNED,	"forward_signed",	EVENT)		\
	X(FORWARD_MEMORY,	"forward_memory",	EVENT)

/**
 * enum hostroute_outcome - what became of a message, or happened to a route
 *
 * HOSTROUTE_CONTINUE is no outcome: the check found nothing to object to.
 */
enum hostroute_outcome {
#define X(symbol, name, verdict) HOSTROUTE_##symbol,
	HOSTROUTE_OUTCOMES(X)
#undef X
	HOSTROUTE_OUTCOME_COUNT,
	HOSTROUTE_CONTINUE = HOSTROUTE_OUTCOME_COUNT,
};

/* Room for a name, and its NUL. */
#define HOSTROUTE_STATS_NAME_SIZE	32

struct hostroute_stats {
	unsigned long count[HOSTROUTE_OUTCOME_COUNT];
};

static inline void hostroute_stats_inc(struct hostroute_stats __percpu *stats,
				       enum hostroute_outcome outcome)
{
	this_cpu_inc(stats->count[outcome]);
}

const char *hostroute_stats_name(enum hostroute_outcome outcome);
unsigned long hostroute_stats_read(const struct hostroute_stats __percpu *stats,
				   enum hostroute_outcome outcome);
unsigned int hostroute_stats_verdict(enum hostroute_outcome outcome);

/* ---- icmp: a message, parsed; no state, no secret ------------------------- */

/**
 * struct hostroute_msg - an ICMP "fragmentation needed" that passed the parser
 * @router:	who sent it (outer source)
 * @saddr:	source of the quoted packet: an address of ours
 * @daddr:	destination of the quoted packet: the path in question
 * @sport:	quoted source port, if TCP or UDP
 * @dport:	quoted destination port, if TCP or UDP
 * @seq:	quoted sequence number, host order, if TCP
 * @mtu:	next-hop MTU in bytes as carried; 0 from routers older than RFC 1191
 * @quoted_len:	total length of the quoted packet, bytes; 0: local BIG TCP
 * @quoted_ihl:	length of the quoted IP header, bytes; 0: it was not parsed
 * @tos:	TOS of the quoted packet
 * @ttl:	TTL of the quoted packet
 * @protocol:	of the quoted packet; if IPPROTO_ICMP, it is an Echo Request
 * @bad_sum:	the quoted header's checksum is wrong
 * @observe:	only find out what would become of it (mode=observe)
 */
struct hostroute_msg {
	__be32 router;
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	u32 seq;
	u16 mtu;
	u16 quoted_len;
	u8 quoted_ihl;
	u8 tos;
	u8 ttl;
	u8 protocol;
	bool bad_sum;
	bool observe;
};

bool hostroute_icmp_made_here(const struct sk_buff *skb);

/**
 * hostroute_icmp_is_frag_needed - is this ours to look at?
 * @skb: packet at LOCAL_IN or FORWARD
 *
 * Return: true for ICMP type 3 code 4.
 */
static inline bool hostroute_icmp_is_frag_needed(const struct sk_buff *skb)
{
	const struct icmphdr *icmph;
	u8 buf[2];

	if (ip_hdr(skb)->protocol != IPPROTO_ICMP)
		return false;
	icmph = skb_header_pointer(skb, skb_network_offset(skb) + ip_hdrlen(skb),
				   sizeof(buf), buf);
	return icmph && icmph->type == ICMP_DEST_UNREACH &&
	       icmph->code == ICMP_FRAG_NEEDED;
}

enum hostroute_outcome hostroute_icmp_parse(struct sk_buff *skb,
					    struct hostroute_msg *msg);
u32 hostroute_icmp_plateau(const struct hostroute_msg *msg, u32 estimate);

/* ---- facts: what is public of this host ----------------------------------- */

/**
 * struct hostroute_path - what is public of the path that a quoted packet took; not
 *	of TCP, whose socket knows
 * @estimate:	bytes, what it carries by itself, without what was learned
 * @l3mdev:	ifindex of the VRF master, 0 for none
 */
struct hostroute_path {
	u32 estimate;
	int l3mdev;
};

enum hostroute_outcome hostroute_facts_check(struct net *net,
					     const struct sk_buff *skb,
					     const struct hostroute_msg *msg,
					     struct hostroute_path *path);

enum hostroute_outcome hostroute_facts_no_socket(struct net *net,
						 const struct sk_buff *skb,
						 const struct hostroute_msg *msg);

enum hostroute_outcome hostroute_facts_check_forwarded(struct net *net,
						       const struct sk_buff *skb,
						       const struct hostroute_msg *msg,
						       struct hostroute_path *path);

/* ---- table: the host routes ----------------------------------------------- */

/* Who vouches for a host route. */
enum hostroute_class {
	HOSTROUTE_CLASS_UNPROVEN,	/* a third party: nothing proves it */
	HOSTROUTE_CLASS_FORWARDED,	/* conntrack: others' connection is quoted */
	HOSTROUTE_CLASS_PROVEN,		/* a live TCP connection's own data quoted */
	HOSTROUTE_CLASS_LOCAL,		/* this host itself: a tunnel, xfrm */
	HOSTROUTE_CLASS_PINNED,		/* the administrator */
	HOSTROUTE_CLASS_DEVICE,		/* he, for all of a device: in no table */
};

/* Room for a name, and its NUL. */
#define HOSTROUTE_CLASS_NAME_SIZE	12

/* As it is shown: the state in the listing and in traces. */
static inline const char *hostroute_class_name(enum hostroute_class class)
{
	switch (class) {
	case HOSTROUTE_CLASS_UNPROVEN:
		return "unproven";
	case HOSTROUTE_CLASS_FORWARDED:
		return "forwarded";
	case HOSTROUTE_CLASS_PROVEN:
		return "proven";
	case HOSTROUTE_CLASS_LOCAL:
		return "local";
	case HOSTROUTE_CLASS_PINNED:
		return "pinned";
	case HOSTROUTE_CLASS_DEVICE:
		return "device";
	}
	return "-";
}

/* Which class gives way to which; proven and local routes are equals. In the
 * unproven rank, what is only claimed gives way to what is forwarded.
 */
enum hostroute_rank {
	HOSTROUTE_RANK_UNPROVEN,
	HOSTROUTE_RANK_LEARNED,
	HOSTROUTE_RANK_PINNED,
	HOSTROUTE_RANK_COUNT,
};

static inline enum hostroute_rank hostroute_rank(enum hostroute_class class)
{
	switch (class) {
	case HOSTROUTE_CLASS_UNPROVEN:
	case HOSTROUTE_CLASS_FORWARDED:
		return HOSTROUTE_RANK_UNPROVEN;
	case HOSTROUTE_CLASS_PINNED:
		return HOSTROUTE_RANK_PINNED;
	default:
		return HOSTROUTE_RANK_LEARNED;
	}
}

struct hostroute_key {
	__be32 daddr;
	int l3mdev;		/* ifindex of the VRF master, 0 for none */
};

/**
 * struct hostroute - what is known about the path to one destination
 * @node:	in the hash
 * @key:	destination and VRF
 * @updated:	boot time of the last accepted message, ns; whole on 32 bit, too
 * @serial:	order of creation; tells a walk what came after it began
 * @mtu:	bytes, in force
 * @previous_mtu: bytes; what was believed before
 * @pinned_mtu:	bytes; the administrator's value, 0 unless pinned
 * @slot:	index among the unproven, if it is one
 * @router:	who sent the last accepted message, 0: this host
 * @ifindex:	where that came in
 * @uses:	accepted messages
 * @id:		index in the table's ids; HOSTROUTE_ID_DEAD: no longer in the table
 * @ref:	the table's while linked, and each clone's (see route.c)
 * @class:	enum hostroute_class
 * @used:	by traffic since last looked at
 * @lru:	in the table's lru, if learned
 * @age:	in the age list of its rank; a pinned one only while it is lowered
 * @clones:	the dst_entry side, see route.c
 * @rcu:	freed by RCU after the last reference
 *
 * There may be a million: 104 bytes.
 */
struct hostroute {
	struct rhash_head	node;
	struct hostroute_key	key;
	atomic64_t		updated;
	u64			serial;
	u16			mtu;
	u16			previous_mtu;
	u16			pinned_mtu;
	u8			class;
	bool			used;
	u32			slot;
	__be32			router;
	int			ifindex;
	u32			uses;
	u32			id;
	refcount_t		ref;
	union {
		struct list_head	lru;	/* while it is linked */
		struct rcu_head		rcu;	/* after the last reference */
	};
	struct list_head	age;
	struct hlist_head	clones;
};

#define HOSTROUTE_ID_DEAD	U32_MAX

static inline bool hostroute_is_dead(const struct hostroute *route)
{
	return READ_ONCE(route->id) == HOSTROUTE_ID_DEAD;
}

/**
 * struct hostroute_limits - the tunables the table obeys
 * @max_routes:	host routes at most; N means N
 * @max_unproven: of these, unproven ones at most
 * @min_mtu:	lower claims are taken as this many bytes
 * @min_mtu_unproven: the same, for unproven claims
 * @expire:	seconds after the last accepted message; 0: never
 * @expire_unproven: the same, for unproven routes
 * @at_limit:	enum hostroute_at_limit
 */
struct hostroute_limits {
	u32 max_routes;
	u32 max_unproven;
	u32 min_mtu;
	u32 min_mtu_unproven;
	u32 expire;
	u32 expire_unproven;
	u32 at_limit;
};

/* What a namespace starts with unless a module parameter says otherwise. */
#define HOSTROUTE_LIMITS_DEFAULT {					\
	.max_routes = HOSTROUTE_MAX_ROUTES_DEFAULT,			\
	.max_unproven = HOSTROUTE_MAX_UNPROVEN_AUTO,			\
	.min_mtu = HOSTROUTE_MIN_MTU_DEFAULT,				\
	.min_mtu_unproven = HOSTROUTE_MIN_MTU_UNPROVEN_DEFAULT,		\
	.expire = HOSTROUTE_EXPIRE_DEFAULT,				\
	.expire_unproven = HOSTROUTE_EXPIRE_UNPROVEN_DEFAULT,		\
	.at_limit = HOSTROUTE_AT_LIMIT_EVICT,				\
}

struct mem_cgroup;

struct hostroute_pool {
	u32			count;
	struct list_head	age;	/* next to expire first */
};

struct hostroute_table {
	/* Guards what the table at the top of pmtu_hostroute.c says. */
	spinlock_t			lock;
	struct rhashtable		hash;
	struct hostroute __rcu		*newest;	/* while it is linked */
	struct xarray			ids;
	struct xarray			unproven;	/* dense: [0, slots) */
	u32				slots;
	u32				count;
	u32				smallest_mtu;	/* of those that apply to TCP */
	u32				smallest_any;	/* of all */
	u32				in_vrfs;	/* routes with an l3mdev */
	u32				forwarded;	/* of the unproven */
	u32				leaving;	/* who has many leave */
	u64				serial;
	u64				now;		/* latest that was heard of */
	u64				starved;	/* then memory was short */
	struct list_head		lru;		/* learned routes */
	struct hostroute_pool		pool[HOSTROUTE_RANK_COUNT];
	struct hostroute_limits		limits;
	bool				unproven_follows;	/* max_routes */
	struct mutex			admin;	/* one that sets limits or pins */
	struct mem_cgroup		*memcg;	/* pays; NULL: nobody in particular */
	unsigned int			owner;	/* inode of the namespace, for the log */
	struct hostroute_stats __percpu	*stats;
};

/**
 * struct hostroute_claim - a message (or a local report) that was believed
 * @key:	destination and VRF
 * @now:	boot time, ns
 * @mtu:	bytes, not below HOSTROUTE_MTU_MIN
 * @estimate:	bytes, what the path's MTU is taken for without a host route
 * @router:	who said so
 * @ifindex:	where it came in
 * @known:	maybe the route in question: what its socket is under, dead or not; while
 *		RCU is held; NULL: it is looked up
 * @class:	who vouches for it; not HOSTROUTE_CLASS_PINNED
 * @dry_run:	only say what would become of it
 */
struct hostroute_claim {
	struct hostroute_key	key;
	u64			now;
	u32			mtu;
	u32			estimate;
	__be32			router;
	int			ifindex;
	struct hostroute	*known;
	enum hostroute_class	class;
	bool			dry_run;
};

/* ifindex of the VRF that @dev is, or is in, 0 for none. Under RCU. Of most its flags
 * tell, without a call.
 */
static inline int hostroute_l3mdev(const struct net_device *dev)
{
	if (likely(!netif_is_l3_slave(dev) && !netif_is_l3_master(dev)))
		return 0;
	return l3mdev_master_ifindex_rcu(dev);
}

/* Nanoseconds since boot: 64 bit, counts suspend, not stepped by the clock. */
static inline u64 hostroute_now(void)
{
	return ktime_get_coarse_boottime_ns();
}

int hostroute_table_slab_init(void);
void hostroute_table_slab_exit(void);
int hostroute_table_init(struct hostroute_table *table,
			 struct hostroute_stats __percpu *stats,
			 const struct hostroute_limits *limits);
void hostroute_table_exit(struct hostroute_table *table);

/* Write functions; those below the first, process context */
enum hostroute_outcome hostroute_table_learn(struct hostroute_table *table,
					     const struct hostroute_claim *claim);
int hostroute_table_pin(struct hostroute_table *table,
			const struct hostroute_key *key, u32 mtu, u64 now);
int hostroute_table_del(struct hostroute_table *table,
			const struct hostroute_key *key);
int hostroute_table_set_max_routes(struct hostroute_table *table, u32 max);
void hostroute_table_set_max_unproven(struct hostroute_table *table, u32 max);
u64 hostroute_table_sweep(struct hostroute_table *table, u64 now);
void hostroute_table_flush(struct hostroute_table *table, bool pinned_too);
void hostroute_table_forget_vrf(struct hostroute_table *table, int l3mdev);
unsigned long hostroute_table_shrink(struct hostroute_table *table,
				     unsigned long n);
struct hostroute *hostroute_table_loose(u32 mtu);
void hostroute_table_set_loose(struct hostroute_table *table,
			       struct hostroute *route, u32 mtu);
void hostroute_table_end_loose(struct hostroute_table *table,
			       struct hostroute *route);

/* Read functions: under RCU */
struct hostroute *hostroute_table_find(struct hostroute_table *table,
				       const struct hostroute_key *key);
struct hostroute *hostroute_table_next(struct hostroute_table *table,
				       unsigned long *id);
u64 hostroute_table_serial(struct hostroute_table *table);
bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now);
u64 hostroute_table_expires(const struct hostroute_table *table,
			    const struct hostroute *route);

static inline u32 hostroute_table_count(const struct hostroute_table *table)
{
	return READ_ONCE(table->count);
}

static inline u32 hostroute_table_count_rank(const struct hostroute_table *table,
					     enum hostroute_rank rank)
{
	return READ_ONCE(table->pool[rank].count);
}

static inline u32 hostroute_table_count_forwarded(const struct hostroute_table *table)
{
	return READ_ONCE(table->forwarded);
}

/* Host routes that TCP is put under. */
static inline bool hostroute_table_applies(const struct hostroute_table *table)
{
	return hostroute_table_count_rank(table, HOSTROUTE_RANK_LEARNED) ||
	       hostroute_table_count_rank(table, HOSTROUTE_RANK_PINNED);
}

static inline void hostroute_mark_used(struct hostroute *route)
{
	/* Read first: the line stays shared between the CPUs that send. */
	if (!READ_ONCE(route->used))
		WRITE_ONCE(route->used, true);
}

static inline void hostroute_hold(struct hostroute *route)
{
	refcount_inc(&route->ref);
}

static inline bool hostroute_is_device(const struct hostroute *route)
{
	return READ_ONCE(route->class) == HOSTROUTE_CLASS_DEVICE;
}

void hostroute_put(struct hostroute *route);

/* ---- route: clones, the dst_entry side of a host route -------------------- */

struct hostroute_net;

/**
 * struct hostroute_clone - what a clone has beyond its rtable
 * @metrics:	must be first, see the top of src/route.c
 * @rt:	the clone itself
 * @net:	namespace; alive while @route is not NULL
 * @route:	the host route, NULL once disowned, or if it is a socket's own
 * @in_route:	the route's set; table lock, RCU
 * @origin:	metrics of the original, only compared
 * @base_mtu:	RTAX_MTU of the original, bytes, 0: the device's
 * @of_device:	for a whole device; a host route may go before it
 * @own:	a socket's own
 *
 * 128 bytes: kmalloc() would make 192 of any more.
 */
struct hostroute_clone {
	struct dst_metrics		metrics;
	struct rtable			*rt;
	const struct net		*net;
	struct hostroute __rcu		*route;
	struct hlist_node		in_route;
	const u32			*origin;
	u32				base_mtu;
	bool				of_device;
	bool				own;
};

/* Of a host route's; a socket's own has others. */
extern struct dst_ops hostroute_clone_ops;

/* Under RCU or with a reference to @dst, which is a clone or was one. */
static inline struct hostroute_clone *
hostroute_clone_of(const struct dst_entry *dst)
{
	return (struct hostroute_clone *)DST_METRICS_PTR(dst);
}

/**
 * hostroute_route_of - the host route that a dst_entry is a clone for
 * @dst: any dst_entry
 *
 * Context: RCU. Return: NULL if it is not a clone of ours, or a socket's own.
 */
static inline struct hostroute *hostroute_route_of(const struct dst_entry *dst)
{
	if (READ_ONCE(dst->ops) != &hostroute_clone_ops)
		return NULL;
	return rcu_dereference(hostroute_clone_of(dst)->route);
}

/**
 * hostroute_route_mtu - what a clone for a host route carries
 * @dst: the clone
 *
 * Its metric, unless it was retired just now. Context: RCU. Return: bytes.
 */
static inline u32 hostroute_route_mtu(const struct dst_entry *dst)
{
	return dst_metric_raw(dst, RTAX_MTU) ?: dst_mtu(dst);
}

int hostroute_route_init(void);
void hostroute_route_exit(void);
bool hostroute_route_plain(const struct dst_entry *dst);
bool hostroute_route_clonable(const struct dst_entry *dst);
u32 hostroute_route_estimate(const struct dst_entry *dst);
struct dst_entry *hostroute_route_get(struct hostroute_table *table,
				      struct hostroute *route,
				      struct dst_entry *origin);
void hostroute_route_sync(struct hostroute *route);
void hostroute_route_drop(struct hostroute_table *table, struct hostroute *route);
void hostroute_route_drop_all(struct hostroute_table *table);
bool hostroute_route_swap(struct sock *sk, __be32 daddr, struct dst_entry *old,
			  struct dst_entry *new);
void hostroute_route_own(struct hostroute_net *hn, struct sock *sk, __be32 daddr,
			 u32 mtu);
bool hostroute_route_is_own(const struct dst_entry *dst);
void hostroute_route_lower_own(const struct dst_entry *dst, u32 mtu);
void hostroute_route_drop_own(const struct net *net);
unsigned int hostroute_route_sockets(const struct hostroute *route);
void hostroute_route_device_gone(const struct net_device *dev);
void hostroute_route_device_mtu(const struct net_device *dev);
void hostroute_route_device_sync(const struct net_device *dev);
void hostroute_route_retire(const struct net *net);
void hostroute_route_disown(const struct net *net);

/* ---- socket: sockets under their host route ------------------------------- */

void hostroute_socket_net_init(struct hostroute_net *hn);
void hostroute_socket_net_exit(struct hostroute_net *hn);
struct dst_entry *hostroute_socket_path(struct sock *sk,
					struct hostroute_claim *claim);
enum hostroute_outcome hostroute_socket_learn(struct hostroute_net *hn,
					      struct sock *sk,
					      const struct hostroute_claim *claim);

/* ---- defer: claims that acknowledged data contradicts ---------------------- */

void hostroute_defer_net_init(struct hostroute_net *hn);
void hostroute_defer_net_exit(struct hostroute_net *hn);
enum hostroute_outcome hostroute_defer_claim(struct hostroute_net *hn,
					     struct sock *sk, u32 seq,
					     const struct hostroute_claim *claim);

/* ---- report: what consuming a message owes -------------------------------- */

void hostroute_report_raw(struct hostroute_net *hn, const struct sk_buff *skb,
			  const struct hostroute_msg *msg);
enum hostroute_outcome hostroute_report(struct hostroute_net *hn,
					const struct sk_buff *skb,
					const struct hostroute_msg *msg, u32 mtu);

/* ---- tunnel: whose GRE may it be? ---------------------------------------------- */

void hostroute_tunnel_up(const struct net_device *dev);
void hostroute_tunnel_down(const struct net_device *dev);
bool hostroute_tunnel_sends(const struct net *net, const struct hostroute_msg *msg);

/* ---- trace: what happens, for those who watch ------------------------------ */

DECLARE_TRACEPOINT(ignored);
DECLARE_TRACEPOINT(deferred);

void hostroute_trace_message_watched(const struct hostroute_net *hn,
				     const struct sk_buff *skb,
				     const struct hostroute_msg *msg,
				     enum hostroute_outcome outcome);

/* Every message comes here: no call unless somebody watches. */
static inline void hostroute_trace_message(const struct hostroute_net *hn,
					   const struct sk_buff *skb,
					   const struct hostroute_msg *msg,
					   enum hostroute_outcome outcome)
{
	if (tracepoint_enabled(ignored) || tracepoint_enabled(deferred))
		hostroute_trace_message_watched(hn, skb, msg, outcome);
}

bool hostroute_trace_learning(void);
void hostroute_trace_route(const struct hostroute_table *table,
			   const struct hostroute *route,
			   enum hostroute_outcome what, bool observed);
void hostroute_trace_socket(const struct hostroute_net *hn, const struct sock *sk,
			    enum hostroute_outcome what, u32 mtu);

struct hostroute_mss_change;

void hostroute_trace_mss(const struct hostroute_net *hn,
			 const struct nf_hook_state *state, const struct sk_buff *skb,
			 const struct hostroute_mss_change *change, bool observed);

/* ---- proof: who can prove a message? -------------------------------------- */

enum hostroute_outcome hostroute_proof_act(struct hostroute_net *hn,
					   struct sk_buff *skb,
					   const struct hostroute_msg *msg,
					   const struct hostroute_path *path);

/* ---- output: packets under their host route ------------------------------- */

unsigned int hostroute_datagram_output(struct hostroute_net *hn, struct sock *sk,
				       const struct net_device *out,
				       struct sk_buff *skb);
void hostroute_output_init(struct hostroute_net *hn);
void hostroute_output_exit(struct hostroute_net *hn);
void hostroute_output_update(struct hostroute_net *hn);

/* ---- device: an MTU for each device ---------------------------------------- */

int hostroute_device_init(void);
void hostroute_device_exit(void);
u32 hostroute_device_mtu(const struct net_device *dev);
struct hostroute *hostroute_device_route(struct hostroute_net *hn,
					 const struct dst_entry *dst);
void hostroute_device_drop_all(struct hostroute_net *hn);

/* ---- mss: the MSS option of a SYN ------------------------------------------ */

/* A TCP header has room for so many bytes of options, and them for as many MSS. */
#define HOSTROUTE_MSS_LIST_MAX	40
#define HOSTROUTE_MSS_MAX	(HOSTROUTE_MSS_LIST_MAX / 4)

/**
 * struct hostroute_mss_options - the MSS options in a list of TCP options
 * @at:		where their values are in the list, bytes
 * @count:	how many
 * @malformed:	the list makes no sense after them
 * @is_signed:	by an option that covers the options (TCP-AO)
 */
struct hostroute_mss_options {
	u8 at[HOSTROUTE_MSS_MAX];
	u8 count;
	bool malformed;
	bool is_signed;
};

/**
 * struct hostroute_mss_change - what was lowered in a SYN
 * @sport:	source port
 * @dport:	destination port
 * @mss:	what it asks for now
 * @previous_mss: what its receiver would have obeyed: the last option
 */
struct hostroute_mss_change {
	__be16 sport;
	__be16 dport;
	u16 mss;
	u16 previous_mss;
};

void hostroute_mss_parse(const u8 *list, unsigned int len,
			 struct hostroute_mss_options *found);
int hostroute_mss_lower(struct sk_buff *skb, u32 mtu, bool dry_run,
			struct hostroute_mss_change *change);
int hostroute_mss_clamp(struct hostroute_net *hn, const struct nf_hook_state *state,
			struct sk_buff *skb, u32 mtu, bool dry_run);

/* ---- forward: on a router -------------------------------------------------- */

void hostroute_forward_init(struct hostroute_net *hn);
void hostroute_forward_exit(struct hostroute_net *hn);
int hostroute_forward_set(struct hostroute_net *hn, u32 value);

/* ---- sysfs and the listing ------------------------------------------------- */

int hostroute_sysfs_init(void);
void hostroute_sysfs_exit(void);
int hostroute_sysfs_number(const char *buf, size_t len, u32 min, u32 max, u32 *value);
int hostroute_sysfs_net_init(struct hostroute_net *hn);
void hostroute_sysfs_net_exit(struct hostroute_net *hn);
int hostroute_proc_net_init(struct hostroute_net *hn);
void hostroute_proc_net_exit(struct hostroute_net *hn);

/* ---- the front door --------------------------------------------------------- */

#define HOSTROUTE_CLAMP_BITS	6
#define HOSTROUTE_WAITING_BITS	6

/**
 * struct hostroute_net - one network namespace
 */
struct hostroute_net {
	struct net			*net;
	struct list_head		list;		/* of all; for the shrinker */
	struct hostroute_table		table;
	struct hostroute_stats __percpu	*stats;
	u32				mode;		/* enum hostroute_mode */
	u32				unproven;	/* enum hostroute_unproven */
	u32				unproven_rate;	/* new ones a second, 0: any */
	spinlock_t			budget_lock;	/* budget, budget_at */
	u64				budget;		/* ns */
	u64				budget_at;	/* boot time, ns */
	struct delayed_work		sweep;
	atomic64_t			sweep_at;	/* boot time, ns */
	struct work_struct		output_work;
	struct mutex			output_lock;	/* output_on, output_dying */
	struct nf_hook_ops		input_ops;
	struct nf_hook_ops		output_ops;
	struct nf_hook_ops		forward_ops;
	struct mutex			forward_lock;	/* one that sets forward */
	u32				forward;	/* enum hostroute_forward */
	u32				device_mtu;	/* smallest set on one */
	bool				output_on;
	bool				output_dying;
	struct device			*dev;
	/* clamps, clamp_list, clamp_count */
	spinlock_t			clamp_lock;
	unsigned int			clamp_count;
	struct list_head		clamp_list;
	DECLARE_HASHTABLE(clamps, HOSTROUTE_CLAMP_BITS);
	struct delayed_work		clamp_work;
	unsigned long			clamp_delay;	/* jiffies; clamp_work's own */
	u32				defer;		/* enum hostroute_defer */
	/* waiting, waiting_list, waiting_count */
	spinlock_t			waiting_lock;
	unsigned int			waiting_count;
	struct list_head		waiting_list;
	DECLARE_HASHTABLE(waiting, HOSTROUTE_WAITING_BITS);
	struct delayed_work		waiting_work;
};

extern struct hostroute_limits hostroute_default_limits;
extern u32 hostroute_default_mode;
extern u32 hostroute_default_unproven;
extern u32 hostroute_default_unproven_rate;
extern u32 hostroute_default_defer;
extern u32 hostroute_default_forward;
extern struct workqueue_struct *hostroute_wq;

struct hostroute_net *hostroute_net(const struct net *net);
struct hostroute *hostroute_net_find(struct hostroute_net *hn,
				     const struct dst_entry *dst, __be32 daddr,
				     bool unproven_too);
enum hostroute_outcome hostroute_net_learn(struct hostroute_net *hn,
					   const struct hostroute_claim *claim);
int hostroute_net_pin(struct hostroute_net *hn, const struct hostroute_key *key,
		      u32 mtu);
bool hostroute_net_may_record(struct hostroute_net *hn, u64 now);
void hostroute_net_changed(struct hostroute_net *hn);
void hostroute_net_resweep(struct hostroute_net *hn);

#endif
