// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/pmtu_hostroute: the listing, complete at any size. Who may read it
 * knows whom this host talks to, so it takes CAP_NET_ADMIN in the namespace.
 */
#include "../pmtu_hostroute.h"

#include <linux/capability.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

static const char * const class_names[] = {
	[HOSTROUTE_CLASS_PROVEN] = "learned",
	[HOSTROUTE_CLASS_LOCAL] = "local",
};

/* Position 0 is the header, position n + 1 the first route whose id is >= n. */
static void *find(struct seq_file *seq, loff_t *pos)
{
	struct hostroute_net *hn = hostroute_net(seq_file_net(seq));
	struct hostroute *route;
	unsigned long id;

	if (*pos == 0)
		return SEQ_START_TOKEN;
	if (*pos - 1 > U32_MAX)
		return NULL;
	id = *pos - 1;
	route = hostroute_table_next(&hn->table, &id);
	if (route)
		*pos = (loff_t)id + 1;
	return route;
}

static void *listing_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	if (!ns_capable(seq_file_net(seq)->user_ns, CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	return find(seq, pos);
}

static void *listing_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return find(seq, pos);
}

static void listing_stop(struct seq_file *seq, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static u64 seconds_left(const struct hostroute_table *table,
			const struct hostroute *route)
{
	u64 life = (u64)READ_ONCE(table->limits.expire) * NSEC_PER_SEC;
	u64 end = READ_ONCE(route->updated) + life;
	u64 now = hostroute_now();

	return end > now ? div_u64(end - now + NSEC_PER_SEC - 1, NSEC_PER_SEC) : 0;
}

static int listing_show(struct seq_file *seq, void *v)
{
	struct hostroute_net *hn = hostroute_net(seq_file_net(seq));
	const struct hostroute *route = v;
	struct net_device *dev;
	__be32 router;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "destination mtu state expires_s uses sockets router dev previous_mtu\n");
		return 0;
	}
	router = READ_ONCE(route->router);
	dev = dev_get_by_index_rcu(hn->net, READ_ONCE(route->ifindex));
	seq_printf(seq, "%pI4 %u %s ", &route->key.daddr, READ_ONCE(route->mtu),
		   class_names[READ_ONCE(route->class)]);
	if (READ_ONCE(hn->table.limits.expire))
		seq_printf(seq, "%llu", seconds_left(&hn->table, route));
	else
		seq_puts(seq, "never");
	seq_printf(seq, " %u %u %pI4 %s %u\n", READ_ONCE(route->uses),
		   hostroute_route_sockets(route), &router,
		   dev ? dev->name : "-", READ_ONCE(route->previous_mtu));
	return 0;
}

static const struct seq_operations listing_ops = {
	.start = listing_start,
	.next = listing_next,
	.stop = listing_stop,
	.show = listing_show,
};

int hostroute_proc_net_init(struct hostroute_net *hn)
{
	kuid_t uid = make_kuid(hn->net->user_ns, 0);
	kgid_t gid = make_kgid(hn->net->user_ns, 0);
	struct proc_dir_entry *entry;

	entry = proc_create_net(HOSTROUTE_NAME, 0400, hn->net->proc_net,
				&listing_ops, sizeof(struct seq_net_private));
	if (!entry)
		return -ENOMEM;
	if (uid_valid(uid) && gid_valid(gid))
		proc_set_user(entry, uid, gid);
	return 0;
}

void hostroute_proc_net_exit(struct hostroute_net *hn)
{
	remove_proc_entry(HOSTROUTE_NAME, hn->net->proc_net);
}
