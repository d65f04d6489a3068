// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/net/DEV/pmtu_hostroute/: the MTU of what this host itself sends by a
 * device. It is below the link's MTU, as the registry value MTU is (KB 898060). The
 * link's MTU does not change: packets that come in, or are forwarded, may be as large
 * as before.
 *
 * What leaves by such a device goes under clones with that MTU (src/ipv4/stock.c).
 * They are clones of device routes, which are in no table and stand for no
 * destination. Each device has a few of these, and next hops are hashed to them. So
 * the neighbours of a device that has many do not push out each other's clones. A host
 * route to a destination goes before the device route, and takes the smaller of the
 * two MTUs.
 *
 * A namespace knows the smallest MTU that is set on any of its devices. As long as
 * packets are no larger, LOCAL_OUT looks at nothing else, except for SYNs.
 *
 * Lifetime. An entry is made when its device is registered. It is freed, after a grace
 * period, when the device is unregistered. The MTU that is set goes with the device to
 * another namespace, but the device routes do not. Those of the old namespace are dead
 * before the device leaves it, and no reader uses the entry any more when it gets
 * those of the new namespace.
 *
 * This file does not touch packets. src/ipv4/output.c and src/ipv4/datagram.c apply
 * the MTU.
 */
#include "device.h"
#include "../pmtu_hostroute.h"
#include "clone.h"
#include "device_route.h"
#include "ipv4/stock.h"
#include "override.h"
#include "text.h"

#include <linux/capability.h>
#include <linux/device.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#define PATH_BITS	4
#define PATHS		BIT(PATH_BITS)

/**
 * struct entry - a device
 * @override:	its MTU; in force while the device is in a namespace and an MTU is set
 * @list:	in the list of all entries
 * @hn:		its namespace while the MTU is in force, else NULL
 * @paths:	device routes while the MTU is in force
 * @rcu:	freed by RCU
 */
struct entry {
	struct hostroute_override override;
	struct list_head	list;
	struct hostroute_net	*hn;
	struct hostroute	*paths[PATHS];
	struct rcu_head		rcu;
};

/* Guards the entries; RCU readers find them by the hash in src/override.c. It is not
 * held while files are removed: that waits for reads and writes in progress, and these
 * take the lock.
 */
static DEFINE_MUTEX(entries_lock);
static LIST_HEAD(entries);

static struct entry *find_any(const struct net_device *dev)
{
	struct entry *entry;

	lockdep_assert_held(&entries_lock);
	list_for_each_entry(entry, &entries, list)
		if (entry->override.dev == dev)
			return entry;
	return NULL;
}

/**
 * hostroute_device_find_route - find the device route that applies to a stock route
 * @hn:		the namespace
 * @dst:	a stock route of it
 *
 * Context: RCU.
 * Return: NULL if no MTU is set on the device that @dst leaves by, or @dst is of a
 * kind that is left alone.
 */
struct hostroute *hostroute_device_find_route(struct hostroute_net *hn,
					      const struct dst_entry *dst)
{
	const struct hostroute_override *override;
	const struct entry *entry;

	if (!hostroute_stock_clonable(dst))
		return NULL;
	override = hostroute_override_find(dst->dev);
	if (!override)
		return NULL;
	entry = container_of(override, struct entry, override);
	if (READ_ONCE(entry->hn) != hn)
		return NULL;
	return READ_ONCE(entry->paths[hostroute_stock_hash(dst, PATH_BITS)]);
}

/* ---- an MTU comes into force, changes, and ends ----------------------------------- */

/* Find the smallest MTU of a namespace again. */
static void recount(struct hostroute_net *hn)
{
	const struct entry *entry;
	u32 smallest = HOSTROUTE_OVERRIDE_NONE;

	lockdep_assert_held(&entries_lock);
	list_for_each_entry(entry, &entries, list)
		if (entry->hn == hn)
			smallest = min(smallest, hostroute_override_limit(&entry->override));
	WRITE_ONCE(hn->device_mtu, smallest);
	hostroute_hook_update(&hn->output);
}

static void end_paths(struct entry *entry)
{
	struct hostroute *path;
	int i;

	for (i = 0; i < PATHS; i++) {
		path = entry->paths[i];
		WRITE_ONCE(entry->paths[i], NULL);
		if (path)
			hostroute_device_route_end(&entry->hn->table, path);
	}
}

/* The MTU is no longer in force. Sockets look up their route again at their next
 * packet.
 */
static void unbind(struct entry *entry)
{
	struct hostroute_net *hn = entry->hn;

	lockdep_assert_held(&entries_lock);
	if (!hn)
		return;
	hostroute_override_remove(&entry->override);
	/* From now on no clone is made of the device routes, even by a reader that
	 * still finds them.
	 */
	end_paths(entry);
	hostroute_clone_device_sync(entry->override.dev);
	WRITE_ONCE(entry->hn, NULL);
	recount(hn);
}

static int bind_to(struct entry *entry, struct hostroute_net *hn)
{
	u32 limit = hostroute_override_limit(&entry->override);
	int i;

	lockdep_assert_held(&entries_lock);
	/* Wait for readers that found the entry when it was bound before. */
	synchronize_rcu();
	entry->hn = hn;
	for (i = 0; i < PATHS; i++) {
		entry->paths[i] = hostroute_device_route_new(limit);
		if (!entry->paths[i])
			goto err;
	}
	hostroute_override_add(&entry->override);
	hostroute_clone_device_sync(entry->override.dev);
	recount(hn);
	return 0;

err:
	end_paths(entry);
	entry->hn = NULL;
	return -ENOMEM;
}

static int set_entry_mtu(struct entry *entry, struct hostroute_net *hn, u32 mtu)
{
	u32 before = entry->override.mtu;
	int i, err;

	lockdep_assert_held(&entries_lock);
	WRITE_ONCE(entry->override.mtu, mtu);
	if (mtu == HOSTROUTE_OVERRIDE_NONE) {
		unbind(entry);
		return 0;
	}
	if (!entry->hn) {
		err = bind_to(entry, hn);
		if (err)
			WRITE_ONCE(entry->override.mtu, before);
		return err;
	}
	for (i = 0; i < PATHS; i++)
		hostroute_device_route_set(&hn->table, entry->paths[i],
					   hostroute_override_limit(&entry->override));
	hostroute_clone_device_sync(entry->override.dev);
	recount(hn);
	return 0;
}

/**
 * hostroute_device_drop_all - drop the clones of a namespace's device routes
 * @hn: the namespace; its hooks make no clones at present
 *
 * Sockets under them look up their route again.
 *
 * Context: process, may sleep.
 */
void hostroute_device_drop_all(struct hostroute_net *hn)
{
	struct entry *entry;
	int i;

	mutex_lock(&entries_lock);
	list_for_each_entry(entry, &entries, list) {
		if (entry->hn != hn)
			continue;
		for (i = 0; i < PATHS; i++)
			hostroute_device_route_drop(&hn->table, entry->paths[i]);
	}
	mutex_unlock(&entries_lock);
}

/* ---- files ------------------------------------------------------------------------- */

/* While one of its files is being read or written, a device stays registered, and in
 * its namespace.
 */
static ssize_t show(struct device *d, char *buf, bool effective)
{
	const struct net_device *dev = to_net_dev(d);
	const struct entry *entry;
	ssize_t len = -ENODEV;
	u32 mtu;

	mutex_lock(&entries_lock);
	entry = find_any(dev);
	if (entry) {
		mtu = entry->override.mtu;
		if (effective)
			mtu = min(hostroute_override_limit(&entry->override),
				  READ_ONCE(dev->mtu));
		len = sysfs_emit(buf, "%u\n", mtu);
	}
	mutex_unlock(&entries_lock);
	return len;
}

static ssize_t mtu_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return show(d, buf, false);
}

static ssize_t effective_mtu_show(struct device *d, struct device_attribute *attr,
				  char *buf)
{
	return show(d, buf, true);
}

static ssize_t mtu_store(struct device *d, struct device_attribute *attr,
			 const char *buf, size_t len)
{
	const struct net_device *dev = to_net_dev(d);
	struct hostroute_net *hn = hostroute_net_of(dev_net(dev));
	struct entry *entry;
	u32 mtu;
	int err;

	if (!ns_capable(dev_net(dev)->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	err = hostroute_text_has_nul(buf, len) ? -EINVAL :
	      hostroute_text_number(buf, 0, U32_MAX, &mtu);
	if (err)
		return err;
	mutex_lock(&entries_lock);
	entry = find_any(dev);
	err = entry ? set_entry_mtu(entry, hn, mtu) : -ENODEV;
	mutex_unlock(&entries_lock);
	/* The MTU is in force when the write returns. */
	hostroute_hook_settle(&hn->output);
	return err ?: len;
}

static DEVICE_ATTR_RW(mtu);
static DEVICE_ATTR_RO(effective_mtu);

static struct attribute *device_attrs[] = {
	&dev_attr_mtu.attr,
	&dev_attr_effective_mtu.attr,
	NULL
};

static const struct attribute_group device_group = {
	.name = HOSTROUTE_NAME,
	.attrs = device_attrs,
};

/* ---- devices come, move and go ------------------------------------------------------- */

/* No route that leaves by one of these can have a clone, see
 * hostroute_stock_plain().
 */
static bool has_no_files(const struct net_device *dev)
{
	return dev->flags & IFF_LOOPBACK || netif_is_l3_master(dev);
}

static void forget_entry(struct entry *entry)
{
	lockdep_assert_held(&entries_lock);
	unbind(entry);
	list_del(&entry->list);
	kfree_rcu(entry, rcu);
}

static struct entry *remember(struct net_device *dev)
{
	struct entry *entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);

	lockdep_assert_held(&entries_lock);
	if (!entry)
		return NULL;
	entry->override.dev = dev;
	entry->override.mtu = HOSTROUTE_OVERRIDE_NONE;
	list_add_tail(&entry->list, &entries);
	return entry;
}

/* The device is new, or has come from another namespace. */
static void device_came(struct net_device *dev)
{
	struct entry *entry;

	if (has_no_files(dev))
		return;
	mutex_lock(&entries_lock);
	entry = find_any(dev) ?: remember(dev);
	if (entry && entry->override.mtu != HOSTROUTE_OVERRIDE_NONE &&
	    bind_to(entry, hostroute_net_of(dev_net(dev)))) {
		WRITE_ONCE(entry->override.mtu, HOSTROUTE_OVERRIDE_NONE);
		netdev_warn(dev, HOSTROUTE_NAME ": no memory, its mtu is forgotten\n");
	}
	mutex_unlock(&entries_lock);
	if (entry && !sysfs_create_group(&dev->dev.kobj, &device_group))
		return;

	netdev_warn(dev, HOSTROUTE_NAME ": no memory for its files\n");
	mutex_lock(&entries_lock);
	entry = find_any(dev);
	if (entry)
		forget_entry(entry);
	mutex_unlock(&entries_lock);
}

/* The device goes, or goes to another namespace, or this module goes. A device that
 * has an entry has files. The event may come again, and then there is no entry any
 * more.
 */
static void device_left(struct net_device *dev)
{
	struct entry *entry;
	bool known;

	mutex_lock(&entries_lock);
	known = find_any(dev);
	mutex_unlock(&entries_lock);
	if (!known)
		return;
	/* Without the lock, since a reader may be waiting for it. RTNL keeps other
	 * events out.
	 */
	sysfs_remove_group(&dev->dev.kobj, &device_group);
	mutex_lock(&entries_lock);
	entry = find_any(dev);
	if (dev->reg_state == NETREG_REGISTERED)
		unbind(entry);
	else
		forget_entry(entry);
	mutex_unlock(&entries_lock);
}

static int entry_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_REGISTER)
		device_came(dev);
	else if (event == NETDEV_UNREGISTER)
		device_left(dev);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = {
	.notifier_call = entry_event,
};

/**
 * hostroute_device_init - make the files of all devices, and follow devices
 *
 * Context: process, may sleep; takes RTNL. Comes after the first namespaces, and
 * hostroute_device_exit() before their end: each device is in one.
 * Return: 0 or a negative errno.
 */
int hostroute_device_init(void)
{
	return register_netdevice_notifier(&notifier);
}

/**
 * hostroute_device_exit - remove the files and routes of all devices
 *
 * Context: process, may sleep; takes RTNL.
 */
void hostroute_device_exit(void)
{
	struct entry *entry, *next;

	/* This calls entry_event() with NETDEV_UNREGISTER for every device. */
	unregister_netdevice_notifier(&notifier);
	mutex_lock(&entries_lock);
	list_for_each_entry_safe(entry, next, &entries, list)
		forget_entry(entry);
	mutex_unlock(&entries_lock);
}
