/* SPDX-License-Identifier: GPL-2.0 */
/* Settings: each is described once, for sysfs and for the module's parameters. */
#ifndef HOSTROUTE_SETTINGS_H
#define HOSTROUTE_SETTINGS_H

#include "net.h"

#include <linux/types.h>

/* X(name): the name of the file in sysfs and of the module parameter. */
#define HOSTROUTE_SETTINGS(X)							\
	X(mode) X(max_routes) X(max_unproven) X(at_limit) X(min_mtu)		\
	X(min_mtu_unproven) X(expire) X(expire_unproven) X(unproven)		\
	X(unproven_rate) X(defer) X(forward)

enum hostroute_setting {
#define X(name) HOSTROUTE_SETTING_##name,
	HOSTROUTE_SETTINGS(X)
#undef X
	HOSTROUTE_SETTING_COUNT,
};

const struct hostroute_limits *hostroute_settings_limits(void);
u32 hostroute_settings_forward(void);
void hostroute_settings_net_init(struct hostroute_net *hn);
int hostroute_setting_show(struct hostroute_net *hn, enum hostroute_setting setting,
			   char *buf);
int hostroute_setting_store(struct hostroute_net *hn, enum hostroute_setting setting,
			    const char *buf);

#endif
