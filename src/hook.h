/* SPDX-License-Identifier: GPL-2.0 */
/* A netfilter hook that is registered only while there is something to apply. */
#ifndef HOSTROUTE_HOOK_H
#define HOSTROUTE_HOOK_H

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/types.h>
#include <linux/workqueue.h>

/**
 * struct hostroute_hook - a hook that is registered when it is wanted
 * @net:	its namespace
 * @ops:	what is registered
 * @wanted:	whether there is something to apply
 * @lock:	guards @on and @dying
 * @work:	registers or unregisters the hook
 * @on:		the hook is registered; read with READ_ONCE() outside @lock
 * @dying:	the hook must not be registered any more
 *
 * Only src/hook.c touches the fields.
 */
struct hostroute_hook {
	struct net		*net;
	struct nf_hook_ops	ops;
	bool			(*wanted)(const struct hostroute_hook *hook);
	struct mutex		lock;	/* on, dying */
	struct work_struct	work;
	bool			on;
	bool			dying;
};

extern struct workqueue_struct *hostroute_wq;

int hostroute_hook_module_init(void);
void hostroute_hook_module_exit(void);
void hostroute_hook_init(struct hostroute_hook *hook, struct net *net,
			 const struct nf_hook_ops *ops,
			 bool (*wanted)(const struct hostroute_hook *hook));
void hostroute_hook_update(struct hostroute_hook *hook);
void hostroute_hook_need(struct hostroute_hook *hook);
void hostroute_hook_settle(struct hostroute_hook *hook);
void hostroute_hook_exit(struct hostroute_hook *hook);
void hostroute_hook_end(struct hostroute_hook *hook);

#endif
