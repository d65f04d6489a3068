// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/pmtu_hostroute: the list of all host routes, complete at any size. A
 * reader learns which hosts this one talks to, so reading needs CAP_NET_ADMIN in the
 * namespace. Nothing is changed here.
 */
#include "listing.h"
#include "../pmtu_hostroute.h"
#include "clone.h"
#include "index.h"

#include <linux/capability.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

struct listing {
	struct seq_net_private	p;	/* first: seq_file_net() expects it there */
	u64			serial;	/* of the newest route when the listing began */
};

/* Position 0 is the header, and position n + 1 the first route whose id is >= n. A
 * destination that is forgotten and learned again meanwhile is not shown twice: its
 * new route is newer than the listing, and left out.
 */
static void *find_route(struct seq_file *seq, loff_t *pos)
	__must_hold(RCU)
{
	struct hostroute_net *hn = hostroute_net_of(seq_file_net(seq));
	struct listing *listing = seq->private;
	struct hostroute *route;
	unsigned long id;

	if (*pos == 0) {
		listing->serial = hostroute_index_serial(&hn->table);
		return SEQ_START_TOKEN;
	}
	if (*pos - 1 > U32_MAX)
		return NULL;
	id = *pos - 1;
	for (;; id++) {
		route = hostroute_index_next(&hn->table, &id);
		*pos = (loff_t)id + 1;
		if (!route || route->serial <= listing->serial)
			return route;
		/* There may be a million routes to leave out. */
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
	}
}

static void *listing_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	if (!ns_capable(seq_file_net(seq)->user_ns, CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	return find_route(seq, pos);
}

static void *listing_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return find_route(seq, pos);
}

static void listing_stop(struct seq_file *seq, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

/* A line at its longest: two addresses, five numbers, a state and two devices, with a
 * blank after each.
 */
#define LINE_SIZE	(2 * HOSTROUTE_ADDR_SIZE + 5 * 11 + HOSTROUTE_CLASS_NAME_SIZE + \
			 2 * (IFNAMSIZ + 1))

/* There may be a million lines, and seq_printf() takes three times as long as all the
 * rest of one. Each of these functions appends a text and a blank, and returns where
 * the next begins.
 */
static char *put_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	*at++ = ' ';
	return at;
}

static char *put_number(char *at, u32 number)
{
	char digits[10];
	int n = 0;

	do {
		digits[n++] = '0' + number % 10;
		number /= 10;
	} while (number);
	while (n)
		*at++ = digits[--n];
	*at++ = ' ';
	return at;
}

static char *put_address(char *at, struct hostroute_addr addr)
{
	at = hostroute_addr_put(at, addr);
	*at++ = ' ';
	return at;
}

static char *put_expiry(char *at, const struct hostroute_table *table,
			const struct hostroute *route)
{
	u64 end = hostroute_table_expires(table, route);
	u64 now;

	if (!end)
		return put_text(at, "never");
	now = hostroute_now();
	return put_number(at, end > now ?
			  div_u64(end - now + NSEC_PER_SEC - 1, NSEC_PER_SEC) : 0);
}

static char *put_device_name(char *at, struct net *net, int ifindex)
{
	const struct net_device *dev = NULL;

	if (ifindex)
		dev = dev_get_by_index_rcu(net, ifindex);
	return put_text(at, dev ? dev->name : "-");
}

static int listing_show(struct seq_file *seq, void *v)
{
	struct hostroute_net *hn = hostroute_net_of(seq_file_net(seq));
	const struct hostroute *route = v;
	char *line, *at;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "destination mtu state expires_s uses sockets router dev previous_mtu vrf\n");
		return 0;
	}
	if (seq_get_buf(seq, &line) < LINE_SIZE) {
		/* Does not fit: seq_file calls again with room for it. */
		seq_commit(seq, -1);
		return 0;
	}
	at = put_address(line, route->key.daddr);
	at = put_number(at, READ_ONCE(route->mtu));
	at = put_text(at, hostroute_class_name(READ_ONCE(route->class)));
	at = put_expiry(at, &hn->table, route);
	at = put_number(at, READ_ONCE(route->uses));
	at = put_number(at, hostroute_clone_sockets(route));
	at = put_address(at, READ_ONCE(route->router));
	at = put_device_name(at, hn->net, READ_ONCE(route->ifindex));
	at = put_number(at, READ_ONCE(route->previous_mtu));
	at = put_device_name(at, hn->net, route->key.l3mdev);
	at[-1] = '\n';
	seq_commit(seq, at - line);
	return 0;
}

static const struct seq_operations listing_ops = {
	.start = listing_start,
	.next = listing_next,
	.stop = listing_stop,
	.show = listing_show,
};

/**
 * hostroute_listing_net_init - make the file; root of the user namespace owns it
 * @hn: the namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int hostroute_listing_net_init(struct hostroute_net *hn)
{
	kuid_t uid = make_kuid(hn->net->user_ns, 0);
	kgid_t gid = make_kgid(hn->net->user_ns, 0);
	struct proc_dir_entry *entry;

	entry = proc_create_net(HOSTROUTE_NAME, 0400, hn->net->proc_net,
				&listing_ops, sizeof(struct listing));
	if (!entry)
		return -ENOMEM;
	if (uid_valid(uid) && gid_valid(gid))
		proc_set_user(entry, uid, gid);
	return 0;
}

/**
 * hostroute_listing_net_exit - remove the file, after reads in progress
 * @hn: the namespace
 *
 * Context: process, may sleep.
 */
void hostroute_listing_net_exit(struct hostroute_net *hn)
{
	remove_proc_entry(HOSTROUTE_NAME, hn->net->proc_net);
}
