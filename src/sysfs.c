// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/pmtu_hostroute/ipv4/, one for each network namespace: settings, counts,
 * counters and commands. This file checks permissions and parses commands. What a
 * setting means is up to src/settings.c; what a command does, to src/net.c,
 * src/admin.c and src/bulk.c.
 */
#include "sysfs.h"
#include "../pmtu_hostroute.h"
#include "admin.h"
#include "bulk.h"
#include "clone.h"
#include "compat.h"
#include "settings.h"
#include "text.h"

#include <linux/capability.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

static struct hostroute_net *hn_of(struct device *dev)
{
	return dev_get_drvdata(dev);
}

static bool may(const struct hostroute_net *hn)
{
	return ns_capable(hn->net->user_ns, CAP_NET_ADMIN);
}

/* ---- settings ----------------------------------------------------------------- */

struct setting_attr {
	struct device_attribute attr;
	enum hostroute_setting setting;
};

static ssize_t setting_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return hostroute_setting_show(hn_of(dev), container_of(attr, struct setting_attr,
							       attr)->setting, buf);
}

static ssize_t setting_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t len)
{
	int err;

	if (!may(hn_of(dev)))
		return -EPERM;
	if (hostroute_text_has_nul(buf, len))
		return -EINVAL;
	err = hostroute_setting_store(hn_of(dev), container_of(attr, struct setting_attr,
							       attr)->setting, buf);
	return err ?: len;
}

#define ATTR(name)							\
	[HOSTROUTE_SETTING_##name] = {					\
		.attr = __ATTR(name, 0644, setting_show, setting_store),	\
		.setting = HOSTROUTE_SETTING_##name,			\
	},

static struct setting_attr setting_attrs[] = { HOSTROUTE_SETTINGS(ATTR) };

#define ATTRIBUTE(name) \
	(&setting_attrs[HOSTROUTE_SETTING_##name].attr.attr),

/* ---- counts and counters ------------------------------------------------------ */

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

/* All lines at their longest fit the page that sysfs has for a file. */
#define X(symbol, name, verdict) + sizeof(name) + 21
static_assert(0 HOSTROUTE_OUTCOMES(X) <= PAGE_SIZE);
#undef X

/* One line for each counter: its name and its value. */
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

/* Bytes: the longest line that makes sense, with room for blanks. */
#define COMMAND_MAX	64

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

/* "ADDRESS MTU [VRF]", or without @mtu "ADDRESS [VRF]". */
static int parse_route(struct net *net, const char *buf, size_t len,
		       struct hostroute_key *key, u32 *mtu)
{
	char copy[COMMAND_MAX], *line = copy, *word;
	int err;

	*key = (struct hostroute_key) {};
	if (len >= sizeof(copy) || hostroute_text_has_nul(buf, len))
		return -EINVAL;
	strscpy(copy, buf, sizeof(copy));
	err = hostroute_addr_parse(hostroute_text_next(&line), &key->daddr);
	if (err)
		return err;
	if (mtu) {
		word = hostroute_text_next(&line);
		if (!word)
			return -EINVAL;
		err = hostroute_text_number(word, HOSTROUTE_MTU_MIN, HOSTROUTE_MTU_MAX, mtu);
		if (err)
			return err;
	}
	err = parse_vrf(net, hostroute_text_next(&line), &key->l3mdev);
	if (err)
		return err;
	return hostroute_text_next(&line) ? -EINVAL : 0;
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
		err = hostroute_admin_del(&hn->table, &key);
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
	if (hostroute_text_has_nul(buf, len) || (!all && !sysfs_streq(buf, "unpinned")))
		return -EINVAL;
	hostroute_bulk_flush(&hn->table, all);
	hostroute_clone_retire_own(hn->net);
	hostroute_net_changed(hn);
	return len;
}

static DEVICE_ATTR_WO(flush);

static struct attribute *main_attrs[] = {
	&dev_attr_count.attr,
	&dev_attr_count_unproven.attr,
	&dev_attr_count_forwarded.attr,
	&dev_attr_stats.attr,
	&dev_attr_add.attr,
	&dev_attr_del.attr,
	&dev_attr_flush.attr,
	HOSTROUTE_SETTINGS(ATTRIBUTE)
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

/**
 * hostroute_sysfs_net_init - make the files of a namespace
 * @hn: the namespace
 *
 * They are made after everything that they use, and removed before it.
 *
 * Context: process, may sleep.
 * Return: 0 or a negative errno.
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

/**
 * hostroute_sysfs_net_exit - remove the files, after reads and writes in progress
 * @hn: the namespace
 *
 * Context: process, may sleep.
 */
void hostroute_sysfs_net_exit(struct hostroute_net *hn)
{
	device_unregister(hn->dev);
}

/**
 * hostroute_sysfs_init - register the class, before the first namespace
 *
 * Context: process, may sleep.
 * Return: 0 or a negative errno.
 */
int hostroute_sysfs_init(void)
{
	return class_register(&hostroute_class);
}

/**
 * hostroute_sysfs_exit - unregister the class, after the last namespace
 *
 * Context: process, may sleep.
 */
void hostroute_sysfs_exit(void)
{
	class_unregister(&hostroute_class);
}
