/* SPDX-License-Identifier: GPL-2.0 */
/* How large a packet a connection's peer has acknowledged, at least. */
#ifndef HOSTROUTE_ACKED_H
#define HOSTROUTE_ACKED_H

#include <linux/types.h>
#include <net/sock.h>

u32 hostroute_acked_largest(const struct sock *sk);

#endif
