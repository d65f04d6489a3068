// SPDX-License-Identifier: GPL-2.0
/* A netfilter hook that is registered only while there is something to apply. */
#include "hook.h"
#include "../pmtu_hostroute.h"

struct workqueue_struct *hostroute_wq;

int hostroute_hook_module_init(void)
{
	hostroute_wq = alloc_workqueue(HOSTROUTE_NAME, WQ_UNBOUND, 0);
	return hostroute_wq ? 0 : -ENOMEM;
}

void hostroute_hook_module_exit(void)
{
	destroy_workqueue(hostroute_wq);
}

static bool is_wanted(const struct hostroute_hook *hook)
{
	return !hook->dying && hook->wanted(hook);
}

static void hook_work(struct work_struct *work)
{
	struct hostroute_hook *hook = container_of(work, struct hostroute_hook, work);

	mutex_lock(&hook->lock);
	if (is_wanted(hook) && !hook->on) {
		WRITE_ONCE(hook->on, !nf_register_net_hook(hook->net, &hook->ops));
	} else if (!is_wanted(hook) && hook->on) {
		nf_unregister_net_hook(hook->net, &hook->ops);
		WRITE_ONCE(hook->on, false);
		/* Paired with hostroute_hook_need(), which may still have seen it on. */
		smp_mb();
		if (is_wanted(hook))
			hostroute_hook_update(hook);
	}
	mutex_unlock(&hook->lock);
}

/**
 * hostroute_hook_update - have the hook registered if it is wanted, and only then
 * @hook: what decides about it may have changed
 *
 * Context: any.
 */
void hostroute_hook_update(struct hostroute_hook *hook)
{
	/* Whatever @on says: it may be about to change. */
	queue_work(hostroute_wq, &hook->work);
}

/**
 * hostroute_hook_need - there is something to apply since just now
 * @hook: the hook
 *
 * Many may come at once, and to wake a worker for each would cost as much again.
 * Context: any.
 */
void hostroute_hook_need(struct hostroute_hook *hook)
{
	smp_mb();	/* paired with hook_work() */
	if (!READ_ONCE(hook->on))
		hostroute_hook_update(hook);
}

/* Wait until an earlier update is in force. Context: process, may sleep. */
void hostroute_hook_settle(struct hostroute_hook *hook)
{
	flush_work(&hook->work);
}

void hostroute_hook_init(struct hostroute_hook *hook, struct net *net,
			 const struct nf_hook_ops *ops,
			 bool (*wanted)(const struct hostroute_hook *hook))
{
	hook->net = net;
	hook->ops = *ops;
	hook->wanted = wanted;
	mutex_init(&hook->lock);
	INIT_WORK(&hook->work, hook_work);
}

/* Unregister it for good. Context: process, may sleep. */
void hostroute_hook_exit(struct hostroute_hook *hook)
{
	mutex_lock(&hook->lock);
	WRITE_ONCE(hook->dying, true);
	mutex_unlock(&hook->lock);
	queue_work(hostroute_wq, &hook->work);
	flush_work(&hook->work);
}

/* After hostroute_hook_exit(), when no more updates come. */
void hostroute_hook_end(struct hostroute_hook *hook)
{
	cancel_work_sync(&hook->work);
}
