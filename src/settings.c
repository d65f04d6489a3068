// SPDX-License-Identifier: GPL-2.0
/*
 * Settings. settings[] describes each one once: its range or its words, and where a
 * namespace keeps it. sysfs and module parameters both read values through parse(). A
 * value that is not understood as a whole changes nothing.
 *
 * This file does not check permissions: src/sysfs.c does.
 */
#include "settings.h"
#include "../pmtu_hostroute.h"
#include "admin.h"
#include "bulk.h"
#include "clone.h"
#include "device.h"
#include "ipv4/forward.h"
#include "text.h"

#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/sysfs.h>

static struct hostroute_limits default_limits = HOSTROUTE_LIMITS_DEFAULT;
static u32 default_mode = HOSTROUTE_MODE_ENFORCE;
static u32 default_unproven = HOSTROUTE_UNPROVEN_ISOLATE;
static u32 default_unproven_rate = HOSTROUTE_UNPROVEN_RATE_DEFAULT;
static u32 default_defer = HOSTROUTE_DEFER_ON;
static u32 default_forward = HOSTROUTE_FORWARD_OFF;

static const char * const mode_words[] = {
	[HOSTROUTE_MODE_ENFORCE] = "enforce",
	[HOSTROUTE_MODE_OBSERVE] = "observe",
	[HOSTROUTE_MODE_OFF] = "off",
	NULL
};

static const char * const unproven_words[] = {
	[HOSTROUTE_UNPROVEN_ISOLATE] = "isolate",
	[HOSTROUTE_UNPROVEN_IGNORE] = "ignore",
	NULL
};

static const char * const at_limit_words[] = {
	[HOSTROUTE_AT_LIMIT_EVICT] = "evict",
	[HOSTROUTE_AT_LIMIT_IGNORE] = "ignore",
	NULL
};

static const char * const defer_words[] = {
	[HOSTROUTE_DEFER_ON] = "on",
	[HOSTROUTE_DEFER_OFF] = "off",
	NULL
};

static const char * const forward_words[] = {
	[HOSTROUTE_FORWARD_OFF] = "off",
	[HOSTROUTE_FORWARD_CLAMP] = "clamp",
	[HOSTROUTE_FORWARD_CLAMP_UNTRACKED] = "clamp-untracked",
	NULL
};

/**
 * struct setting - one tunable
 * @words:	its values are these words, and their index is kept; NULL: its values
 *		are numbers
 * @min:	smallest number
 * @max:	largest number
 * @follows:	the word "auto" stands for U32_MAX
 * @initial:	what new namespaces start with
 * @at:		offset of the u32 in which a namespace keeps it
 * @apply:	stores it there and puts it in force; process context; 0 or a negative
 *		errno. NULL: the word is stored, and is read anew each time
 */
struct setting {
	const char * const *words;
	u32 min;
	u32 max;
	bool follows;
	u32 *initial;
	size_t at;
	int (*apply)(struct hostroute_net *hn, u32 value);
};

#define AT(member)	offsetof(struct hostroute_net, member)

static u32 *current_value(const struct setting *setting, struct hostroute_net *hn)
{
	return (u32 *)((char *)hn + setting->at);
}

static int apply_mode(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->set.mode, value);
	hostroute_net_changed(hn);
	if (value == HOSTROUTE_MODE_ENFORCE)
		return 0;
	/* First wait until no hook makes a clone any more, then drop the clones. */
	hostroute_hook_settle(&hn->output);
	synchronize_rcu();
	hostroute_bulk_drop_clones(&hn->table);
	hostroute_clone_retire_own(hn->net);
	hostroute_device_drop_all(hn);
	return 0;
}

static int apply_max_routes(struct hostroute_net *hn, u32 value)
{
	int err = hostroute_admin_set_max_routes(&hn->table, value);

	hostroute_net_changed(hn);
	return err;
}

static int apply_max_unproven(struct hostroute_net *hn, u32 value)
{
	hostroute_admin_set_max_unproven(&hn->table, value);
	return 0;
}

static int apply_expire(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->table.limits.expire, value);
	hostroute_net_resweep(hn);
	return 0;
}

static int apply_expire_unproven(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->table.limits.expire_unproven, value);
	hostroute_net_resweep(hn);
	return 0;
}

static const struct setting settings[] = {
	[HOSTROUTE_SETTING_mode] = {
		.words = mode_words,
		.initial = &default_mode,
		.at = AT(set.mode),
		.apply = apply_mode,
	},
	[HOSTROUTE_SETTING_max_routes] = {
		.max = HOSTROUTE_MAX_ROUTES_MAX,
		.initial = &default_limits.max_routes,
		.at = AT(table.limits.max_routes),
		.apply = apply_max_routes,
	},
	[HOSTROUTE_SETTING_max_unproven] = {
		.max = HOSTROUTE_MAX_ROUTES_MAX,
		.follows = true,
		.initial = &default_limits.max_unproven,
		.at = AT(table.limits.max_unproven),
		.apply = apply_max_unproven,
	},
	[HOSTROUTE_SETTING_at_limit] = {
		.words = at_limit_words,
		.initial = &default_limits.at_limit,
		.at = AT(table.limits.at_limit),
	},
	[HOSTROUTE_SETTING_min_mtu] = {
		.min = HOSTROUTE_MTU_MIN,
		.max = HOSTROUTE_MTU_MAX,
		.initial = &default_limits.min_mtu,
		.at = AT(table.limits.min_mtu),
	},
	[HOSTROUTE_SETTING_min_mtu_unproven] = {
		.min = HOSTROUTE_MTU_MIN,
		.max = HOSTROUTE_MTU_MAX,
		.initial = &default_limits.min_mtu_unproven,
		.at = AT(table.limits.min_mtu_unproven),
	},
	[HOSTROUTE_SETTING_expire] = {
		.max = HOSTROUTE_EXPIRE_MAX,
		.initial = &default_limits.expire,
		.at = AT(table.limits.expire),
		.apply = apply_expire,
	},
	[HOSTROUTE_SETTING_expire_unproven] = {
		.max = HOSTROUTE_EXPIRE_MAX,
		.initial = &default_limits.expire_unproven,
		.at = AT(table.limits.expire_unproven),
		.apply = apply_expire_unproven,
	},
	[HOSTROUTE_SETTING_unproven] = {
		.words = unproven_words,
		.initial = &default_unproven,
		.at = AT(set.unproven),
	},
	[HOSTROUTE_SETTING_unproven_rate] = {
		.max = HOSTROUTE_UNPROVEN_RATE_MAX,
		.initial = &default_unproven_rate,
		.at = AT(set.unproven_rate),
	},
	[HOSTROUTE_SETTING_defer] = {
		/* Claims that wait already go on waiting. */
		.words = defer_words,
		.initial = &default_defer,
		.at = AT(set.defer),
	},
	[HOSTROUTE_SETTING_forward] = {
		.words = forward_words,
		.initial = &default_forward,
		.at = AT(set.forward),
		.apply = hostroute_forward_set,
	},
};

static int parse(const struct setting *setting, const char *buf, u32 *value)
{
	if (setting->words)
		return hostroute_text_word(buf, setting->words, value);
	if (setting->follows && sysfs_streq(buf, "auto")) {
		*value = U32_MAX;
		return 0;
	}
	return hostroute_text_number(buf, setting->min, setting->max, value);
}

static int print(const struct setting *setting, char *buf, u32 value)
{
	if (setting->words)
		return sysfs_emit(buf, "%s\n", setting->words[value]);
	if (setting->follows && value == U32_MAX)
		return sysfs_emit(buf, "auto\n");
	return sysfs_emit(buf, "%u\n", value);
}

/* ---- a namespace's ------------------------------------------------------------ */

/**
 * hostroute_settings_limits - the limits of a new table
 *
 * Context: any.
 * Return: the values of the module parameters. Each is one word, which may change at
 * any time.
 */
const struct hostroute_limits *hostroute_settings_limits(void)
{
	return &default_limits;
}

/**
 * hostroute_settings_forward - what a new namespace does for forwarded connections
 *
 * Context: any.
 * Return: enum hostroute_forward.
 */
u32 hostroute_settings_forward(void)
{
	return READ_ONCE(default_forward);
}

/**
 * hostroute_settings_net_init - give a new namespace its settings
 * @hn: the namespace
 *
 * Not the limits of its table, nor "forward": the caller sets these.
 *
 * Context: process; before the hooks are registered.
 */
void hostroute_settings_net_init(struct hostroute_net *hn)
{
	hn->set.mode = READ_ONCE(default_mode);
	hn->set.unproven = READ_ONCE(default_unproven);
	hn->set.unproven_rate = READ_ONCE(default_unproven_rate);
	hn->set.defer = READ_ONCE(default_defer);
}

/**
 * hostroute_setting_show - a setting as text
 * @hn:		the namespace
 * @setting:	which setting
 * @buf:	a page
 *
 * Context: process.
 * Return: length of the text, bytes.
 */
int hostroute_setting_show(struct hostroute_net *hn, enum hostroute_setting setting,
			   char *buf)
{
	return print(&settings[setting], buf,
		     READ_ONCE(*current_value(&settings[setting], hn)));
}

/**
 * hostroute_setting_store - change a setting, and put it in force
 * @hn:		the namespace
 * @setting:	which setting
 * @buf:	all that was written, with a NUL at its end
 *
 * Context: process, may sleep.
 * Return: 0, or a negative errno if nothing has changed.
 */
int hostroute_setting_store(struct hostroute_net *hn, enum hostroute_setting setting,
			    const char *buf)
{
	const struct setting *s = &settings[setting];
	u32 value;
	int err;

	err = parse(s, buf, &value);
	if (err)
		return err;
	if (s->apply)
		return s->apply(hn, value);
	WRITE_ONCE(*current_value(s, hn), value);
	return 0;
}

/* ---- module parameters --------------------------------------------------------- */

static int param_set(const char *buf, const struct kernel_param *kp)
{
	const struct setting *setting = kp->arg;
	u32 value;
	int err;

	err = buf ? parse(setting, buf, &value) : -EINVAL;
	if (!err)
		WRITE_ONCE(*setting->initial, value);
	return err;
}

static int param_get(char *buf, const struct kernel_param *kp)
{
	const struct setting *setting = kp->arg;

	return print(setting, buf, READ_ONCE(*setting->initial));
}

static const struct kernel_param_ops param_ops = {
	.set = param_set,
	.get = param_get,
};

#define PARAM(name, text)						\
	module_param_cb(name, &param_ops,				\
			(void *)&settings[HOSTROUTE_SETTING_##name], 0644); \
	MODULE_PARM_DESC(name, text " (what network namespaces start with)")

PARAM(mode, "enforce, observe or off");
PARAM(max_routes, "host routes at most");
PARAM(max_unproven, "of these, unproven ones at most, or auto: an eighth");
PARAM(min_mtu, "lowest MTU believed, bytes");
PARAM(min_mtu_unproven, "lowest MTU recorded of what is unproven, bytes");
PARAM(expire, "seconds that a learned MTU lasts, 0 for ever");
PARAM(expire_unproven, "seconds that an unproven one lasts, 0 for ever");
PARAM(unproven, "what nothing can prove: isolate or ignore");
PARAM(unproven_rate, "new unproven host routes a second, 0 for any number");
PARAM(at_limit, "when full: evict or ignore");
PARAM(defer, "claims that conflict with acknowledged data wait: on or off");
PARAM(forward, "for connections routed here: off, clamp or clamp-untracked");
