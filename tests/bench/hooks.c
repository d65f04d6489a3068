// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks that do nothing, in every namespace: what netfilter takes for hooks to be there,
 * whatever they do. The goals of "make bench" are for kernels that have none of their own.
 */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/net_namespace.h>

static unsigned int at;
module_param(at, uint, 0444);
MODULE_PARM_DESC(at, "where: a bit for each enum nf_inet_hooks");

static unsigned int do_nothing(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static struct nf_hook_ops ops[NF_INET_NUMHOOKS];
static unsigned int count;

static int __net_init hooks_net_init(struct net *net)
{
	return nf_register_net_hooks(net, ops, count);
}

static void __net_exit hooks_net_exit(struct net *net)
{
	nf_unregister_net_hooks(net, ops, count);
}

static struct pernet_operations net_ops = {
	.init = hooks_net_init,
	.exit = hooks_net_exit,
};

static int __init hooks_init(void)
{
	unsigned int i;

	for (i = 0; i < NF_INET_NUMHOOKS; i++)
		if (at & BIT(i))
			ops[count++] = (struct nf_hook_ops) {
				.hook = do_nothing,
				.pf = NFPROTO_IPV4,
				.hooknum = i,
			};
	return register_pernet_subsys(&net_ops);
}

static void __exit hooks_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}

module_init(hooks_init);
module_exit(hooks_exit);

MODULE_DESCRIPTION("Hooks that do nothing");
MODULE_LICENSE("GPL");
