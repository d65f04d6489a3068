// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/pmtu_hostroute/ipv4/, one for each network namespace, and the
 * module parameters of the same names, which are what a namespace starts with.
 *
 * A setting is described once, in settings[]: its name, its range or its
 * words, and where it is kept. Both ways of setting it read it through
 * parse(): a value that is not entirely understood changes nothing.
 */
#include "../pmtu_hostroute.h"
#include "compat.h"

#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/in.h>
#include <linux/inet.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

struct hostroute_limits hostroute_default_limits = HOSTROUTE_LIMITS_DEFAULT;
u32 hostroute_default_mode = HOSTROUTE_MODE_ENFORCE;
u32 hostroute_default_unproven = HOSTROUTE_UNPROVEN_ISOLATE;
u32 hostroute_default_unproven_rate = HOSTROUTE_UNPROVEN_RATE_DEFAULT;
u32 hostroute_default_defer = HOSTROUTE_DEFER_ON;
u32 hostroute_default_forward = HOSTROUTE_FORWARD_OFF;

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

/* ---- settings ---------------------------------------------------------------- */

/**
 * struct setting - one tunable
 * @words:	values are these words (their index is kept), or
 * @min:	smallest number
 * @max:	largest number
 * @follows:	"auto" stands for U32_MAX
 * @initial:	what new namespaces start with
 * @at:	offset of the u32 where a namespace keeps it
 * @apply:	sets it there; process context; 0 or a negative errno
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
	WRITE_ONCE(hn->mode, value);
	hostroute_net_changed(hn);
	if (value == HOSTROUTE_MODE_ENFORCE)
		return 0;
	/* No hook makes a clone any more when they are dropped. */
	flush_work(&hn->output_work);
	synchronize_rcu();
	hostroute_route_drop_all(&hn->table);
	hostroute_route_drop_own(hn->net);
	hostroute_device_drop_all(hn);
	return 0;
}

static int apply_max_routes(struct hostroute_net *hn, u32 value)
{
	int err = hostroute_table_set_max_routes(&hn->table, value);

	hostroute_net_changed(hn);
	return err;
}

static int apply_max_unproven(struct hostroute_net *hn, u32 value)
{
	hostroute_table_set_max_unproven(&hn->table, value);
	return 0;
}

static int apply_at_limit(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->table.limits.at_limit, value);
	return 0;
}

static int apply_min_mtu(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->table.limits.min_mtu, value);
	return 0;
}

static int apply_min_mtu_unproven(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->table.limits.min_mtu_unproven, value);
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

static int apply_unproven(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->unproven, value);
	return 0;
}

static int apply_unproven_rate(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->unproven_rate, value);
	return 0;
}

/* What waits goes on waiting. */
static int apply_defer(struct hostroute_net *hn, u32 value)
{
	WRITE_ONCE(hn->defer, value);
	return 0;
}

static const struct setting mode_setting = {
	.words = mode_words,
	.initial = &hostroute_default_mode,
	.at = AT(mode),
	.apply = apply_mode,
};

static const struct setting max_routes_setting = {
	.max = HOSTROUTE_MAX_ROUTES_MAX,
	.initial = &hostroute_default_limits.max_routes,
	.at = AT(table.limits.max_routes),
	.apply = apply_max_routes,
};

static const struct setting max_unproven_setting = {
	.max = HOSTROUTE_MAX_ROUTES_MAX,
	.follows = true,
	.initial = &hostroute_default_limits.max_unproven,
	.at = AT(table.limits.max_unproven),
	.apply = apply_max_unproven,
};

static const struct setting min_mtu_setting = {
	.min = HOSTROUTE_MTU_MIN,
	.max = HOSTROUTE_MTU_MAX,
	.initial = &hostroute_default_limits.min_mtu,
	.at = AT(table.limits.min_mtu),
	.apply = apply_min_mtu,
};

static const struct setting min_mtu_unproven_setting = {
	.min = HOSTROUTE_MTU_MIN,
	.max = HOSTROUTE_MTU_MAX,
	.initial = &hostroute_default_limits.min_mtu_unproven,
	.at = AT(table.limits.min_mtu_unproven),
	.apply = apply_min_mtu_unproven,
};

static const struct setting expire_setting = {
	.max = HOSTROUTE_EXPIRE_MAX,
	.initial = &hostroute_default_limits.expire,
	.at = AT(table.limits.expire),
	.apply = apply_expire,
};

static const struct setting expire_unproven_setting = {
	.max = HOSTROUTE_EXPIRE_MAX,
	.initial = &hostroute_default_limits.expire_unproven,
	.at = AT(table.limits.expire_unproven),
	.apply = apply_expire_unproven,
};

static const struct setting unproven_setting = {
	.words = unproven_words,
	.initial = &hostroute_default_unproven,
	.at = AT(unproven),
	.apply = apply_unproven,
};

static const struct setting unproven_rate_setting = {
	.max = HOSTROUTE_UNPROVEN_RATE_MAX,
	.initial = &hostroute_default_unproven_rate,
	.at = AT(unproven_rate),
	.apply = apply_unproven_rate,
};

static const struct setting at_limit_setting = {
	.words = at_limit_words,
	.initial = &hostroute_default_limits.at_limit,
	.at = AT(table.limits.at_limit),
	.apply = apply_at_limit,
};

static const struct setting defer_setting = {
	.words = defer_words,
	.initial = &hostroute_default_defer,
	.at = AT(defer),
	.apply = apply_defer,
};

static const struct setting forward_setting = {
	.words = forward_words,
	.initial = &hostroute_default_forward,
	.at = AT(forward),
	.apply = hostroute_forward_set,
};

static int parse_word(const char * const *words, const char *buf, u32 *value)
{
	u32 i;

	for (i = 0; words[i]; i++) {
		if (sysfs_streq(buf, words[i])) {
			*value = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Decimal only: "010" and "0x10" are more likely a mistake than a wish. */
static int parse_number(const char *buf, u32 min, u32 max, u32 *value)
{
	u32 number;
	int err;

	if (buf[0] < '0' || buf[0] > '9')
		return -EINVAL;
	err = kstrtou32(buf, 10, &number);
	if (err)
		return err;
	if (number < min || number > max)
		return -ERANGE;
	*value = number;
	return 0;
}

static int parse(const struct setting *setting, const char *buf, u32 *value)
{
	if (setting->words)
		return parse_word(setting->words, buf, value);
	if (setting->follows && sysfs_streq(buf, "auto")) {
		*value = U32_MAX;
		return 0;
	}
	return parse_number(buf, setting->min, setting->max, value);
}

static int print(const struct setting *setting, char *buf, u32 value)
{
	if (setting->words)
		return sysfs_emit(buf, "%s\n", setting->words[value]);
	if (setting->follows && value == U32_MAX)
		return sysfs_emit(buf, "auto\n");
	return sysfs_emit(buf, "%u\n", value);
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
	module_param_cb(name, &param_ops, (void *)&name##_setting, 0644); \
	MODULE_PARM_DESC(name, text " (new network namespaces)")

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
PARAM(defer, "claims that acknowledged data contradicts wait: on or off");
PARAM(forward, "for connections routed here: off, clamp or clamp-untracked");

/* ---- attributes ------------------------------------------------------------------ */

static struct hostroute_net *hn_of(struct device *dev)
{
	return dev_get_drvdata(dev);
}

static bool may(const struct hostroute_net *hn)
{
	return ns_capable(hn->net->user_ns, CAP_NET_ADMIN);
}

/* What comes after a NUL would not be looked at. */
static bool has_nul(const char *buf, size_t len)
{
	return strnlen(buf, len) != len;
}

/**
 * hostroute_sysfs_number - understand what was written to a file
 * @buf:	what was written
 * @len:	its bytes
 * @min:	smallest number
 * @max:	largest number
 * @value:	the number, when the return value is 0
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int hostroute_sysfs_number(const char *buf, size_t len, u32 min, u32 max, u32 *value)
{
	return has_nul(buf, len) ? -EINVAL : parse_number(buf, min, max, value);
}

struct setting_attr {
	struct device_attribute attr;
	const struct setting *setting;
};

static ssize_t setting_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	const struct setting *setting =
		container_of(attr, struct setting_attr, attr)->setting;

	return print(setting, buf, READ_ONCE(*current_value(setting, hn_of(dev))));
}

static ssize_t setting_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t len)
{
	const struct setting *setting =
		container_of(attr, struct setting_attr, attr)->setting;
	u32 value;
	int err;

	if (!may(hn_of(dev)))
		return -EPERM;
	err = has_nul(buf, len) ? -EINVAL : parse(setting, buf, &value);
	if (!err)
		err = setting->apply(hn_of(dev), value);
	return err ?: len;
}

#define SETTING_ATTR(name)						\
static struct setting_attr name##_attr = {				\
	.attr = __ATTR(name, 0644, setting_show, setting_store),	\
	.setting = &name##_setting,					\
}

SETTING_ATTR(mode);
SETTING_ATTR(max_routes);
SETTING_ATTR(max_unproven);
SETTING_ATTR(at_limit);
SETTING_ATTR(min_mtu);
SETTING_ATTR(min_mtu_unproven);
SETTING_ATTR(expire);
SETTING_ATTR(expire_unproven);
SETTING_ATTR(unproven);
SETTING_ATTR(unproven_rate);
SETTING_ATTR(defer);
SETTING_ATTR(forward);

static ssize_t count_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct hostroute_net *hn = hn_of(dev);

	if (!may(hn))
		return -EPERM;
	return sysfs_emit(buf, "%u\n", hostroute_table_count(&hn->table));
}

static DEVICE_ATTR_ADMIN_RO(count);

static ssize_t count_unproven_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	struct hostroute_net *hn = hn_of(dev);

	if (!may(hn))
		return -EPERM;
	return sysfs_emit(buf, "%u\n",
			  hostroute_table_count_rank(&hn->table,
						     HOSTROUTE_RANK_UNPROVEN));
}

static DEVICE_ATTR_ADMIN_RO(count_unproven);

static ssize_t count_forwarded_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	struct hostroute_net *hn = hn_of(dev);

	if (!may(hn))
		return -EPERM;
	return sysfs_emit(buf, "%u\n", hostroute_table_count_forwarded(&hn->table));
}

static DEVICE_ATTR_ADMIN_RO(count_forwarded);

/* At their longest they fit the page that sysfs has for a file. */
#define X(symbol, name, verdict) + sizeof(name) + 21
static_assert(0 HOSTROUTE_OUTCOMES(X) <= PAGE_SIZE);
#undef X

/* Every counter, a line each: a name and a value. */
static ssize_t stats_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct hostroute_net *hn = hn_of(dev);
	int at = 0, i;

	if (!may(hn))
		return -EPERM;
	for (i = 0; i < HOSTROUTE_OUTCOME_COUNT; i++)
		at += sysfs_emit_at(buf, at, "%s %lu\n", hostroute_stats_name(i),
				    hostroute_stats_read(hn->stats, i));
	return at;
}

static DEVICE_ATTR_ADMIN_RO(stats);

/* ---- add, del, flush -------------------------------------------------------------- */

/* The longest line that makes sense, with room for blanks. */
#define COMMAND_MAX	64

/* One blank-separated word; NULL when there is none left. */
static char *next_word(char **line)
{
	char *word;

	*line = skip_spaces(*line);
	if (!**line)
		return NULL;
	word = *line;
	*line += strcspn(word, " \t\n");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

/* A destination that a packet can have which routers forward. */
static int parse_address(const char *word, __be32 *address)
{
	const char *end;

	if (!word || !in4_pton(word, -1, (u8 *)address, -1, &end) || *end)
		return -EINVAL;
	if (ipv4_is_zeronet(*address) || ipv4_is_loopback(*address) ||
	    ipv4_is_multicast(*address) || ipv4_is_lbcast(*address))
		return -EINVAL;
	return 0;
}

static int parse_vrf(struct net *net, const char *word, int *ifindex)
{
	struct net_device *dev;
	int err = 0;

	if (!word)
		return 0;
	rcu_read_lock();
	dev = dev_get_by_name_rcu(net, word);
	if (!dev)
		err = -ENODEV;
	else if (!netif_is_l3_master(dev))
		err = -EINVAL;
	else
		*ifindex = dev->ifindex;
	rcu_read_unlock();
	return err;
}

/* "ADDRESS [MTU] [VRF]", the MTU if there is a place for it. */
static int parse_route(struct net *net, const char *buf, size_t len,
		       struct hostroute_key *key, u32 *mtu)
{
	char copy[COMMAND_MAX], *line = copy, *word;
	int err;

	*key = (struct hostroute_key) {};
	if (len >= sizeof(copy) || has_nul(buf, len))
		return -EINVAL;
	strscpy(copy, buf, sizeof(copy));
	err = parse_address(next_word(&line), &key->daddr);
	if (err)
		return err;
	if (mtu) {
		word = next_word(&line);
		if (!word)
			return -EINVAL;
		err = parse_number(word, HOSTROUTE_MTU_MIN, HOSTROUTE_MTU_MAX, mtu);
		if (err)
			return err;
	}
	err = parse_vrf(net, next_word(&line), &key->l3mdev);
	if (err)
		return err;
	return next_word(&line) ? -EINVAL : 0;
}

static ssize_t add_store(struct device *dev, struct device_attribute *attr,
			 const char *buf, size_t len)
{
	struct hostroute_net *hn = hn_of(dev);
	struct hostroute_key key;
	u32 mtu;
	int err;

	if (!may(hn))
		return -EPERM;
	err = parse_route(hn->net, buf, len, &key, &mtu);
	if (!err)
		err = hostroute_net_pin(hn, &key, mtu);
	return err ?: len;
}

static DEVICE_ATTR_WO(add);

static ssize_t del_store(struct device *dev, struct device_attribute *attr,
			 const char *buf, size_t len)
{
	struct hostroute_net *hn = hn_of(dev);
	struct hostroute_key key;
	int err;

	if (!may(hn))
		return -EPERM;
	err = parse_route(hn->net, buf, len, &key, NULL);
	if (!err)
		err = hostroute_table_del(&hn->table, &key);
	if (!err)
		hostroute_net_changed(hn);
	return err ?: len;
}

static DEVICE_ATTR_WO(del);

static ssize_t flush_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t len)
{
	struct hostroute_net *hn = hn_of(dev);
	bool all = sysfs_streq(buf, "all");

	if (!may(hn))
		return -EPERM;
	if (has_nul(buf, len) || (!all && !sysfs_streq(buf, "unpinned")))
		return -EINVAL;
	hostroute_table_flush(&hn->table, all);
	hostroute_route_drop_own(hn->net);
	hostroute_net_changed(hn);
	return len;
}

static DEVICE_ATTR_WO(flush);

static struct attribute *main_attrs[] = {
	&mode_attr.attr.attr,
	&max_routes_attr.attr.attr,
	&max_unproven_attr.attr.attr,
	&at_limit_attr.attr.attr,
	&min_mtu_attr.attr.attr,
	&min_mtu_unproven_attr.attr.attr,
	&expire_attr.attr.attr,
	&expire_unproven_attr.attr.attr,
	&unproven_attr.attr.attr,
	&unproven_rate_attr.attr.attr,
	&defer_attr.attr.attr,
	&forward_attr.attr.attr,
	&dev_attr_count.attr,
	&dev_attr_count_unproven.attr,
	&dev_attr_count_forwarded.attr,
	&dev_attr_stats.attr,
	&dev_attr_add.attr,
	&dev_attr_del.attr,
	&dev_attr_flush.attr,
	NULL
};

ATTRIBUTE_GROUPS(main);

/* ---- the class ---------------------------------------------------------------------- */

static const struct net *net_of(HOSTROUTE_COMPAT_CLASS_DEV *dev)
{
	const struct hostroute_net *hn = dev_get_drvdata(dev);

	return hn->net;
}

static __maybe_unused const void *by_net(HOSTROUTE_COMPAT_CLASS_DEV *dev)
{
	return net_of(dev);
}

static __maybe_unused const struct ns_common *
by_common(HOSTROUTE_COMPAT_CLASS_DEV *dev)
{
	return &net_of(dev)->ns;
}

static void class_ownership(HOSTROUTE_COMPAT_CLASS_DEV *dev, kuid_t *uid,
			    kgid_t *gid)
{
	const struct hostroute_net *hn = dev_get_drvdata(dev);
	kuid_t root_uid = make_kuid(hn->net->user_ns, 0);
	kgid_t root_gid = make_kgid(hn->net->user_ns, 0);

	if (uid_valid(root_uid))
		*uid = root_uid;
	if (gid_valid(root_gid))
		*gid = root_gid;
}

static void device_release(struct device *dev)
{
	kfree(dev);
}

static struct class hostroute_class = {
	.name = HOSTROUTE_NAME,
	.dev_release = device_release,
	.ns_type = &net_ns_type_operations,
	.namespace = HOSTROUTE_COMPAT_CLASS_NAMESPACE(by_net, by_common),
	.get_ownership = class_ownership,
};

/* Registered last and removed first: nothing of @hn is used by user space
 * before it is complete, nor after (kernfs waits for its readers).
 */
int hostroute_sysfs_net_init(struct hostroute_net *hn)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return -ENOMEM;
	dev->class = &hostroute_class;
	dev->groups = main_groups;
	dev_set_drvdata(dev, hn);
	device_initialize(dev);
	dev_set_uevent_suppress(dev, true);
	err = dev_set_name(dev, "ipv4");
	if (!err)
		err = device_add(dev);
	if (err) {
		put_device(dev);
		return err;
	}
	hn->dev = dev;
	return 0;
}

void hostroute_sysfs_net_exit(struct hostroute_net *hn)
{
	device_unregister(hn->dev);
}

int hostroute_sysfs_init(void)
{
	return class_register(&hostroute_class);
}

void hostroute_sysfs_exit(void)
{
	class_unregister(&hostroute_class);
}
