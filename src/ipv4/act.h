/* SPDX-License-Identifier: GPL-2.0 */
/* What is done about a message that passed all public checks. */
#ifndef HOSTROUTE_IPV4_ACT_H
#define HOSTROUTE_IPV4_ACT_H

#include "../claim.h"
#include "../net.h"
#include "../stats.h"

#include <linux/skbuff.h>

enum hostroute_outcome hostroute_act(struct hostroute_net *hn, struct sk_buff *skb,
				     const struct hostroute_msg *msg,
				     const struct hostroute_path *path);

#endif
