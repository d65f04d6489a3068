// SPDX-License-Identifier: GPL-2.0
/* Memory and references of host routes. */
#include "hostroute.h"

#include <linux/slab.h>

/* The user guide states this size. */
static_assert(sizeof(struct hostroute) <= 104);

static struct kmem_cache *route_cache;

int hostroute_slab_init(void)
{
	route_cache = KMEM_CACHE(hostroute, SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT);
	return route_cache ? 0 : -ENOMEM;
}

/* The caller has waited for the RCU callbacks that free routes (rcu_barrier()). */
void hostroute_slab_exit(void)
{
	kmem_cache_destroy(route_cache);
}

/**
 * hostroute_alloc - allocate a host route that is in no table yet
 * @model:	copied, except for its lists, its clones and its references
 * @gfp:	how to allocate; the active memory cgroup is charged
 *
 * Return: the route with one reference, or NULL.
 */
struct hostroute *hostroute_alloc(const struct hostroute *model, gfp_t gfp)
{
	struct hostroute *route = kmem_cache_alloc(route_cache, gfp);

	if (!route)
		return NULL;
	*route = *model;
	refcount_set(&route->ref, 1);
	INIT_LIST_HEAD(&route->lru);
	INIT_LIST_HEAD(&route->age);
	INIT_HLIST_HEAD(&route->clones);
	return route;
}

/* Free a route that no reader can see: look-ups never found it, or a grace period is over
 * since they last could. Context: any.
 */
void hostroute_free(struct hostroute *route)
{
	kmem_cache_free(route_cache, route);
}

static void free_after_grace(struct rcu_head *head)
{
	hostroute_free(container_of(head, struct hostroute, rcu));
}

/* Free a route without references that RCU readers may still look at. Context: any. */
void hostroute_free_rcu(struct hostroute *route)
{
	call_rcu(&route->rcu, free_after_grace);
}

/* Drop a reference. Context: any. */
void hostroute_put(struct hostroute *route)
{
	if (refcount_dec_and_test(&route->ref))
		hostroute_free_rcu(route);
}
