/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pmtu_hostroute - host routes for what path MTU discovery learns (RFC 1191)
 *
 * What all files share: limits of the protocol, the values a setting can have, and
 * every default. Each file under src/ has a header of its own for the rest.
 * src/FLOORS lists the files in order; each may use those before it only.
 */
#ifndef PMTU_HOSTROUTE_H
#define PMTU_HOSTROUTE_H

#include <linux/limits.h>

#define HOSTROUTE_NAME	"pmtu_hostroute"

/* RFC 791: every host must take a datagram of 68 bytes. */
#define HOSTROUTE_MTU_MIN	68U
#define HOSTROUTE_MTU_MAX	65535U

/* Every default and every range, once. Settings, module parameters and tests use
 * these.
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

/* What happens to claims that nothing can prove. */
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

#endif
