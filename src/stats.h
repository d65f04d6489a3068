/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All outcomes, their counters and their verdicts in one list. The enum, the names in
 * the sysfs file stats, the reasons in tracepoints and the verdicts are generated from
 * it.
 */
#ifndef HOSTROUTE_STATS_H
#define HOSTROUTE_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

/*
 * X(symbol, name in the file stats, what the LOCAL_IN hook does with the message)
 *
 * CONSUME: the message was acted on or refused, and the stock path must not see it.
 * PASS: the stock path gets the message unchanged.
 * EVENT: a counter only; no verdict at LOCAL_IN depends on it.
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
 * @HOSTROUTE_OUTCOMES: each symbol of the list above, with HOSTROUTE_ before it
 * @HOSTROUTE_CONTINUE: not an outcome; a check returns it when it has no objection
 */
enum hostroute_outcome {
#define X(symbol, name, verdict) HOSTROUTE_##symbol,
	HOSTROUTE_OUTCOMES(X)
#undef X
	HOSTROUTE_OUTCOME_COUNT,
	HOSTROUTE_CONTINUE = HOSTROUTE_OUTCOME_COUNT,
};

/* Large enough for each name with its NUL, which stats.c checks at build time. */
#define HOSTROUTE_STATS_NAME_SIZE	32

/* The counters of a namespace on one CPU. */
struct hostroute_stats {
	unsigned long count[HOSTROUTE_OUTCOME_COUNT];
};

/* Context: any. */
static inline void hostroute_stats_inc(struct hostroute_stats __percpu *stats,
				       enum hostroute_outcome outcome)
{
	this_cpu_inc(stats->count[outcome]);
}

const char *hostroute_stats_name(enum hostroute_outcome outcome);
unsigned long hostroute_stats_read(const struct hostroute_stats __percpu *stats,
				   enum hostroute_outcome outcome);
unsigned int hostroute_stats_verdict(enum hostroute_outcome outcome);

#endif
