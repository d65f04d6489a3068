// SPDX-License-Identifier: GPL-2.0
/*
 * Counters: one for each outcome on each CPU, summed when they are read. Names and
 * verdicts come from HOSTROUTE_OUTCOMES in stats.h.
 */
#include "stats.h"

#include <linux/netfilter.h>
#include <linux/percpu.h>

enum verdict { EVENT, CONSUME, PASS };

static const struct {
	const char *name;
	enum verdict verdict;
} outcomes[] = {
#define X(symbol, name, verdict)		\
	[HOSTROUTE_##symbol] = { (name) + BUILD_BUG_ON_ZERO(sizeof(name) > \
				 HOSTROUTE_STATS_NAME_SIZE), verdict },
	HOSTROUTE_OUTCOMES(X)
#undef X
};

const char *hostroute_stats_name(enum hostroute_outcome outcome)
{
	return outcomes[outcome].name;
}

/**
 * hostroute_stats_read - the sum of a counter over all CPUs
 * @stats:	the counters of a namespace
 * @outcome:	which of them
 *
 * Context: any. CPUs may go on counting while it is summed.
 * Return: the sum, which wraps.
 */
unsigned long hostroute_stats_read(const struct hostroute_stats __percpu *stats,
				   enum hostroute_outcome outcome)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(stats, cpu)->count[outcome]);
	return sum;
}

/**
 * hostroute_stats_verdict - the one place where an outcome becomes a verdict
 * @outcome: what became of a message
 *
 * Return: NF_DROP for a message that was acted on or refused, NF_ACCEPT for one that is
 * left to the stock path; when in doubt, NF_ACCEPT.
 */
unsigned int hostroute_stats_verdict(enum hostroute_outcome outcome)
{
	if (WARN_ON_ONCE(outcome >= HOSTROUTE_OUTCOME_COUNT))
		return NF_ACCEPT;
	return outcomes[outcome].verdict == CONSUME ? NF_DROP : NF_ACCEPT;
}
