/* SPDX-License-Identifier: GPL-2.0 */
/* When memory is short, host routes that can be learned again are given back. */
#ifndef HOSTROUTE_SHRINKER_H
#define HOSTROUTE_SHRINKER_H

#include "net.h"

int hostroute_shrinker_init(void);
void hostroute_shrinker_exit(void);
void hostroute_shrinker_add(struct hostroute_net *hn);
void hostroute_shrinker_remove(struct hostroute_net *hn);

#endif
