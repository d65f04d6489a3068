// SPDX-License-Identifier: GPL-2.0
/*
 * A netfilter hook that is registered only while there is something to apply, since a
 * packet pays for a registered hook even if that does nothing.
 *
 * This file registers and unregisters. What the hook does, and when it is wanted, is
 * for the caller to say: src/ipv4/output.c and src/net.c.
 */
#include "hook.h"
#include "../pmtu_hostroute.h"

/* Runs the work of all namespaces: hooks, sweeps, queued clamps and deferred
 * claims.
 */
struct workqueue_struct *hostroute_wq;

/**
 * hostroute_hook_module_init - make the work queue
 *
 * Context: process, may sleep; before the first namespace.
 * Return: 0 or -ENOMEM.
 */
int hostroute_hook_module_init(void)
{
	hostroute_wq = alloc_workqueue(HOSTROUTE_NAME, WQ_UNBOUND, 0);
	return hostroute_wq ? 0 : -ENOMEM;
}

/**
 * hostroute_hook_module_exit - destroy the work queue
 *
 * Context: process, may sleep; after the last namespace.
 */
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
		/* Paired with hostroute_hook_need(). That may still have seen the hook
		 * registered, so look once more.
		 */
		smp_mb();
		if (is_wanted(hook))
			hostroute_hook_update(hook);
	}
	mutex_unlock(&hook->lock);
}

/**
 * hostroute_hook_update - register or unregister a hook, whichever is due
 * @hook: the hook; the answer of its @wanted may have changed
 *
 * A work item does it, later. hostroute_hook_settle() waits for that.
 *
 * Context: any.
 */
void hostroute_hook_update(struct hostroute_hook *hook)
{
	/* Whatever @on says: a work item may be about to change it. */
	queue_work(hostroute_wq, &hook->work);
}

/**
 * hostroute_hook_need - something to apply has just been added
 * @hook: the hook
 *
 * Many messages may arrive at once, and waking a worker for each would cost as much
 * again. So a work item is queued only if the hook is not registered. What @wanted
 * reads must be stored before the call.
 *
 * Context: any.
 */
void hostroute_hook_need(struct hostroute_hook *hook)
{
	smp_mb();	/* paired with hook_work() */
	if (!READ_ONCE(hook->on))
		hostroute_hook_update(hook);
}

/**
 * hostroute_hook_settle - wait until earlier updates are in force
 * @hook: the hook
 *
 * Context: process, may sleep.
 */
void hostroute_hook_settle(struct hostroute_hook *hook)
{
	flush_work(&hook->work);
}

/**
 * hostroute_hook_init - prepare a hook, which is not registered yet
 * @hook:	zeroed
 * @net:	its namespace
 * @ops:	copied
 * @wanted:	whether the hook should be registered; called in process context
 *
 * Context: any.
 */
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

/**
 * hostroute_hook_exit - unregister a hook for good
 * @hook: the hook
 *
 * Updates that come later do nothing. The hook's function may still run until the next
 * grace period is over.
 *
 * Context: process, may sleep.
 */
void hostroute_hook_exit(struct hostroute_hook *hook)
{
	mutex_lock(&hook->lock);
	WRITE_ONCE(hook->dying, true);
	mutex_unlock(&hook->lock);
	queue_work(hostroute_wq, &hook->work);
	flush_work(&hook->work);
}

/**
 * hostroute_hook_end - cancel the updates that came after hostroute_hook_exit()
 * @hook: the hook; no more updates come
 *
 * Context: process, may sleep.
 */
void hostroute_hook_end(struct hostroute_hook *hook)
{
	cancel_work_sync(&hook->work);
}
