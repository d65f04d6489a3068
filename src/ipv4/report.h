/* SPDX-License-Identifier: GPL-2.0 */
/* Reports to sockets about messages that this module consumes. */
#ifndef HOSTROUTE_IPV4_REPORT_H
#define HOSTROUTE_IPV4_REPORT_H

#include "../claim.h"
#include "../net.h"
#include "../stats.h"

#include <linux/skbuff.h>

void hostroute_report_raw(struct hostroute_net *hn, const struct sk_buff *skb,
			  const struct hostroute_msg *msg);
enum hostroute_outcome hostroute_report(struct hostroute_net *hn,
					const struct sk_buff *skb,
					const struct hostroute_msg *msg, u32 mtu);

#endif
