/* SPDX-License-Identifier: GPL-2.0 */
/* Learning: what a claim that was believed does to the table. */
#ifndef HOSTROUTE_LEARN_H
#define HOSTROUTE_LEARN_H

#include "claim.h"
#include "stats.h"
#include "table.h"

enum hostroute_outcome hostroute_learn(struct hostroute_table *table,
				       const struct hostroute_claim *claim);

#endif
