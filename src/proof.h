/* SPDX-License-Identifier: GPL-2.0 */
/* Does a TCP connection prove a message about it? */
#ifndef HOSTROUTE_PROOF_H
#define HOSTROUTE_PROOF_H

#include "claim.h"
#include "stats.h"

#include <net/sock.h>

enum hostroute_outcome hostroute_proof_check(const struct sock *sk,
					     const struct hostroute_msg *msg);

#endif
