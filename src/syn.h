/* SPDX-License-Identifier: GPL-2.0 */
/* The MSS option of a SYN at LOCAL_OUT or FORWARD. */
#ifndef HOSTROUTE_SYN_H
#define HOSTROUTE_SYN_H

#include "net.h"

#include <linux/netfilter.h>
#include <linux/skbuff.h>

int hostroute_syn_clamp(struct hostroute_net *hn, const struct nf_hook_state *state,
			struct sk_buff *skb, u32 mtu, bool dry_run);

#endif
