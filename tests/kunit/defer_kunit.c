// SPDX-License-Identifier: GPL-2.0
/*
 * RFC 5927 7.2 alone: the arithmetic, what becomes of a claim, and the list, on
 * real TCP sockets that are connected to nothing. What learns is a fake.
 */
#include <kunit/test.h>
#include <linux/net.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* A seam: the next allocation fails. */
static bool fail_alloc;

static bool alloc_fails(void)
{
	bool fails = fail_alloc;

	fail_alloc = false;
	return fails;
}

#undef kzalloc
#define kzalloc(size, gfp) \
	(alloc_fails() ? NULL : kmalloc(size, (gfp) | __GFP_ZERO))

#include "../../src/acked.c"
#include "../../src/defer.c"
#include "../../src/stats.c"

#define SECOND	NSEC_PER_SEC
#define MSS	1448U
#define HEADERS	52U	/* with timestamps */
#define PEER	cpu_to_be32(0x0a662d0c)

struct workqueue_struct *hostroute_wq;

static struct hostroute *known;		/* to the table */
static bool known_expired;
static unsigned int learned;
static u32 learned_mtu;

struct hostroute *hostroute_index_find(struct hostroute_table *table,
				       const struct hostroute_key *key)
{
	return known;
}

bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now)
{
	return known_expired;
}

void hostroute_trace_socket(unsigned int netns, const struct sock *sk,
			    enum hostroute_outcome what, u32 mtu)
{
	lockdep_assert_held(&sk->sk_lock.slock);
}

static bool path_gone;

struct dst_entry *hostroute_clamp_path(struct sock *sk,
				       struct hostroute_claim *claim)
{
	static struct dst_entry route;

	lockdep_assert_held(&sk->sk_lock.slock);
	return path_gone ? NULL : &route;
}

enum hostroute_outcome hostroute_clamp_learn(struct hostroute_net *hn,
					     struct sock *sk,
					     const struct hostroute_claim *claim)
{
	lockdep_assert_held(&sk->sk_lock.slock);
	learned++;
	learned_mtu = claim->mtu;
	return HOSTROUTE_LEARNED;
}

/* ---- the arithmetic ------------------------------------------------------------ */

static u32 bound(u64 bytes, u64 resent, u64 delivered)
{
	struct acked acked = {
		.bytes = bytes,
		.resent = resent,
		.delivered = (u32)delivered,
		.mss_max = MSS,
	};

	return least_largest(&acked);
}

static void nothing_acknowledged(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, bound(0, 0, 0), 0U);
	KUNIT_EXPECT_EQ(test, bound(1, 0, 1), 0U);		/* a SYN */
	KUNIT_EXPECT_EQ(test, bound(1, 1448, 1), 0U);
	KUNIT_EXPECT_EQ(test, bound(0, 0, U32_MAX), 0U);
}

/* Whether the SYN is among the bytes or the segments, or among neither. */
static void full_segments(struct kunit *test)
{
	u64 n;

	for (n = 1; n < 3000; n++) {
		KUNIT_ASSERT_LE(test, bound(n * MSS, 0, n), MSS);
		KUNIT_ASSERT_LE(test, bound(n * MSS + 1, 0, n), MSS);
		KUNIT_ASSERT_LE(test, bound(n * MSS + 1, 0, n + 1), MSS);
	}
	/* It comes close: RFC 5927's 552 after two, 1492 after some hundred. */
	KUNIT_EXPECT_GT(test, bound(2 * MSS + 1, 0, 3) + HEADERS, 552U);
	KUNIT_EXPECT_GT(test, bound(500 * MSS + 1, 0, 501) + HEADERS, 1492U);
	KUNIT_EXPECT_EQ(test, bound(3000000000ULL * MSS, 0, 3000000000ULL), MSS - 1);
}

/* The acknowledged part of a segment counts in bytes, and not in segments. */
static void part_of_a_segment(struct kunit *test)
{
	u64 n;

	for (n = 0; n < 100; n++)
		KUNIT_ASSERT_LE(test, bound((n + 1) * MSS - 1 + 1, 0, n), MSS);
}

/* It is not known which one of two was acknowledged (Karn). */
static void what_was_sent_again_does_not_count(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, bound(10 * MSS + 1, 10 * MSS, 11), 0U);
	KUNIT_EXPECT_EQ(test, bound(10 * MSS + 1, 50 * MSS, 11), 0U);
	KUNIT_EXPECT_LE(test, bound(10 * MSS + 1, 5 * MSS, 11), MSS / 2);
}

static void segment_count_wraps(struct kunit *test)
{
	static const u64 counts[] = {
		U32_MAX - 1, U32_MAX, BIT_ULL(32), BIT_ULL(32) + 1, BIT_ULL(32) + 77,
		BIT_ULL(33) - 1, BIT_ULL(33), BIT_ULL(34) + 123456789, BIT_ULL(40),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		u32 got = bound(counts[i] * MSS + 1, 0, counts[i] + 1);

		KUNIT_EXPECT_LE(test, got, MSS);
		KUNIT_EXPECT_GE(test, got, MSS - 1);
	}
	/* Whatever the counters say, not more than a segment can have. */
	KUNIT_EXPECT_LE(test, bound(U64_MAX / 2, 0, 0), MSS);
	KUNIT_EXPECT_LE(test, bound(U64_MAX / 2, 0, U32_MAX), MSS);
}

static void no_mss_no_bound(struct kunit *test)
{
	struct acked acked = { .bytes = 1 << 20, .delivered = 10 };

	KUNIT_EXPECT_EQ(test, least_largest(&acked), 0U);
}

/*
 * Connections as they come: segments of any size, some sent again as several,
 * acknowledged up to any byte. The bound is never above the largest of which a
 * byte was acknowledged, whatever became of the SYN.
 */
static void never_too_high(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int run, i;

	prandom_seed_state(&rnd, 5927);
	for (run = 0; run < 20000; run++) {
		unsigned int n = 1 + prandom_u32_state(&rnd) % 40;
		u32 max_size = 1 + prandom_u32_state(&rnd) % MSS;
		bool active = prandom_u32_state(&rnd) & 1;
		u64 bytes = active, resent = 0;
		u64 delivered = prandom_u32_state(&rnd) & 1;
		u32 largest = 0, size, part, got;

		for (i = 0; i < n; i++) {
			size = 1 + prandom_u32_state(&rnd) % max_size;
			if (prandom_u32_state(&rnd) % 8 == 0) {
				/* Two pieces, and the second alone was large. */
				resent += size;
				delivered += 1 + (prandom_u32_state(&rnd) & 1);
				bytes += size;
				largest = max(largest, (size + 1) / 2);
				continue;
			}
			largest = max(largest, size);
			if (i == n - 1) {
				part = 1 + prandom_u32_state(&rnd) % size;
				bytes += part;
				delivered += part == size;
			} else {
				bytes += size;
				delivered++;
			}
		}
		got = bound(bytes, resent, delivered);
		KUNIT_ASSERT_LE_MSG(test, got, largest,
				    "run %u: %llu bytes, %llu again, %llu segments",
				    run, bytes, resent, delivered);
	}
}

/* ---- what becomes of a claim ----------------------------------------------------- */

#define SEQ	0xfffffff0U	/* the sequence space wraps in the midst of it */

static enum fate fate(u32 waits_una, u8 waits_retransmits, struct progress progress)
{
	struct waiting waiting = {
		.seq = SEQ,
		.una = waits_una,
		.retransmits = waits_retransmits,
		.claim.now = 1000 * SECOND,
	};

	if (!progress.now)
		progress.now = 1001 * SECOND;
	if (!progress.nxt)
		progress.nxt = SEQ + 5000;
	return fate_of(&waiting, &progress);
}

#define PROGRESS(...)	((struct progress) { __VA_ARGS__ })

static void fates(struct kunit *test)
{
	/* Nothing has happened. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ)), FATE_WAIT);
	KUNIT_EXPECT_EQ(test, fate(SEQ - 9, 0, PROGRESS(.una = SEQ - 9)), FATE_WAIT);
	/* An ACK beyond the quoted sequence, and one up to it. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ + 1)), FATE_CLEAR);
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ + 100)), FATE_CLEAR);
	KUNIT_EXPECT_EQ(test, fate(SEQ - 9, 0, PROGRESS(.una = SEQ)), FATE_WAIT);
	/* A timeout. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ, .retransmits = 1)),
			FATE_APPLY);
	KUNIT_EXPECT_EQ(test, fate(SEQ - 9, 0,
				   PROGRESS(.una = SEQ - 9, .retransmits = 1)),
			FATE_APPLY);
	/* One before the claim was made; one more since. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 2, PROGRESS(.una = SEQ, .retransmits = 2)),
			FATE_WAIT);
	KUNIT_EXPECT_EQ(test, fate(SEQ, 2, PROGRESS(.una = SEQ, .retransmits = 3)),
			FATE_APPLY);
	/* That data was acknowledged, and what comes before the quoted one has
	 * timed out in its turn.
	 */
	KUNIT_EXPECT_EQ(test, fate(SEQ - 9, 2,
				   PROGRESS(.una = SEQ - 5, .retransmits = 1)),
			FATE_APPLY);
	KUNIT_EXPECT_EQ(test, fate(SEQ - 9, 2, PROGRESS(.una = SEQ - 5)), FATE_WAIT);
	/* Acknowledged after a timeout, and other data has timed out since. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ + 1, .retransmits = 1)),
			FATE_CLEAR);
	/* Inside the system call that sends, nxt is the quoted byte. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ, .nxt = SEQ)),
			FATE_WAIT);
	/* Another connection's numbers. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ - 50000,
						    .nxt = SEQ - 40000)), FATE_DROP);
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ, .gone = true)),
			FATE_DROP);
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ, .retransmits = 1,
						    .gone = true)), FATE_DROP);
	/* Not for ever. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ,
						    .now = 1000 * SECOND + WAIT_MAX)),
			FATE_WAIT);
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ,
						    .now = 1001 * SECOND + WAIT_MAX)),
			FATE_DROP);
	/* The clocks of two CPUs. */
	KUNIT_EXPECT_EQ(test, fate(SEQ, 0, PROGRESS(.una = SEQ, .now = 999 * SECOND)),
			FATE_WAIT);
}

static void progress_is_remembered(struct kunit *test)
{
	struct waiting waiting = { .seq = SEQ, .una = SEQ - 9, .retransmits = 3,
				   .claim.now = 1000 * SECOND };
	struct progress progress = { .now = 1000 * SECOND, .nxt = SEQ + 9,
				     .una = SEQ - 5 };

	KUNIT_EXPECT_EQ(test, fate_of(&waiting, &progress), FATE_WAIT);
	progress.retransmits = 1;
	KUNIT_EXPECT_EQ(test, fate_of(&waiting, &progress), FATE_APPLY);
}

/* ---- sockets ------------------------------------------------------------------------ */

struct fixture {
	struct hostroute_net hn;
	struct socket *sock;
	struct hostroute_claim claim;
};

/* Established, and 1000 full segments acknowledged. */
static struct socket *make_socket(struct kunit *test)
{
	struct socket *sock;
	struct tcp_sock *tp;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET, SOCK_STREAM,
						  IPPROTO_TCP, &sock));
	tp = tcp_sk(sock->sk);
	sock->sk->sk_state = TCP_ESTABLISHED;
	inet_sk(sock->sk)->inet_daddr = PEER;
	tp->rx_opt.mss_clamp = 1460;
	tp->tcp_header_len = HEADERS - sizeof(struct iphdr);
	tp->bytes_acked = 1000 * MSS + 1;
	tp->delivered = 1001;
	tp->snd_una = SEQ;
	tp->snd_nxt = SEQ + 4 * MSS;
	return sock;
}

static void drop_socket(struct kunit *test, struct socket *sock)
{
	KUNIT_EXPECT_EQ(test, refcount_read(&sock->sk->sk_refcnt), 1U);
	/* tcp_close() must not take it for a connection. */
	sock->sk->sk_state = TCP_CLOSE;
	inet_sk(sock->sk)->inet_daddr = 0;
	tcp_sk(sock->sk)->snd_nxt = tcp_sk(sock->sk)->snd_una;
	sock_release(sock);
}

static int start(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	hostroute_wq = system_unbound_wq;
	known = NULL;
	known_expired = false;
	learned = 0;
	learned_mtu = 0;
	fail_alloc = false;
	f->hn.table.limits.min_mtu = HOSTROUTE_MTU_MIN;
	f->hn.stats = alloc_percpu(struct hostroute_stats);
	KUNIT_ASSERT_NOT_NULL(test, f->hn.stats);
	hostroute_defer_net_init(&f->hn);
	f->claim = (struct hostroute_claim) {
		.key.daddr = hostroute_addr_v4(PEER),
		.now = hostroute_now(),
		.mtu = 552,
		.estimate = 1500,
		.class = HOSTROUTE_CLASS_PROVEN,
	};
	test->priv = f;
	f->sock = make_socket(test);
	return 0;
}

static void end(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	hostroute_defer_net_exit(&f->hn);
	if (f->sock)
		drop_socket(test, f->sock);
	free_percpu(f->hn.stats);
}

static enum hostroute_outcome claim_by(struct fixture *f, struct socket *sock, u32 mtu)
{
	enum hostroute_outcome outcome;

	f->claim.mtu = mtu;
	local_bh_disable();
	rcu_read_lock();
	bh_lock_sock(sock->sk);
	outcome = hostroute_defer_claim(&f->hn, sock->sk, SEQ, &f->claim);
	bh_unlock_sock(sock->sk);
	rcu_read_unlock();
	local_bh_enable();
	return outcome;
}

static enum hostroute_outcome claim(struct fixture *f, u32 mtu)
{
	return claim_by(f, f->sock, mtu);
}

static void look_now(struct fixture *f)
{
	mod_delayed_work(hostroute_wq, &f->hn.deferred.work, 0);
	flush_delayed_work(&f->hn.deferred.work);
}

static unsigned long count(struct fixture *f, enum hostroute_outcome outcome)
{
	return hostroute_stats_read(f->hn.stats, outcome);
}

static u32 waits_mtu(struct fixture *f)
{
	struct waiting *waiting = list_first_entry_or_null(&f->hn.deferred.list,
							   struct waiting, list);

	return waiting ? waiting->claim.mtu : 0;
}

/* RFC 5927 7.3.4 */
static void cleared_by_an_ack(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 1U);
	tcp_sk(f->sock->sk)->snd_una += MSS;
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_DEFERRED_CLEARED), 1UL);
	KUNIT_EXPECT_EQ(test, learned, 0U);
}

/* RFC 5927 7.3.2 */
static void applied_by_a_timeout(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 1400), HOSTROUTE_DEFERRED);
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_DEFERRED_APPLIED), 1UL);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_LEARNED), 1UL);
	KUNIT_EXPECT_EQ(test, learned, 1U);
	KUNIT_EXPECT_EQ(test, learned_mtu, 1400U);
}

static void dropped_if_the_path_is_gone(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 1400), HOSTROUTE_DEFERRED);
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	path_gone = true;
	look_now(f);
	path_gone = false;
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_DEFERRED_DROPPED), 1UL);
	KUNIT_EXPECT_EQ(test, learned, 0U);
}

/* The retransmission brings about another message: it does not wait. */
static void applied_by_the_next_message(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 1400), HOSTROUTE_DEFERRED);
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	KUNIT_EXPECT_EQ(test, claim(f, 1400), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, learned, 1U);
}

static void a_timeout_before_the_claim_counts(struct kunit *test)
{
	struct fixture *f = test->priv;

	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_CONTINUE);
	/* Not one of other data. */
	tcp_sk(f->sock->sk)->snd_una = SEQ - MSS;
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 1U);
	/* Its turn comes, and so does another message. */
	tcp_sk(f->sock->sk)->snd_una = SEQ;
	inet_csk(f->sock->sk)->icsk_retransmits = 0;
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 1U);
	KUNIT_EXPECT_EQ(test, learned, 0U);
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	look_now(f);
	KUNIT_EXPECT_EQ(test, learned, 1U);
}

/* The owner has it: nothing is settled, but the message about the retransmission
 * is obeyed.
 */
static void owned_meanwhile(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	lock_sock(f->sock->sk);
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 1U);
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_DEFERRED_APPLIED), 1UL);
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_CONTINUE);
	release_sock(f->sock->sk);
}

static void dropped_with_its_socket(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
	f->sock->sk->sk_state = TCP_CLOSE;
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_DEFERRED_DROPPED), 1UL);

	/* Connected to somebody else by now. */
	f->sock->sk->sk_state = TCP_ESTABLISHED;
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
	inet_sk(f->sock->sk)->inet_daddr = ~PEER;
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_DEFERRED_DROPPED), 2UL);
	KUNIT_EXPECT_EQ(test, learned, 0U);
}

static void dropped_when_the_module_is_off(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
	f->hn.set.mode = HOSTROUTE_MODE_OFF;
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, learned, 0U);
}

/* Of two the higher, whichever came first. */
static void two_claims_for_a_socket(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, claim(f, 600), HOSTROUTE_DEFERRED);
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
	KUNIT_EXPECT_EQ(test, waits_mtu(f), 600U);
	KUNIT_EXPECT_EQ(test, claim(f, 1400), HOSTROUTE_DEFERRED);
	KUNIT_EXPECT_EQ(test, waits_mtu(f), 1400U);
	KUNIT_EXPECT_EQ(test, claim(f, 1400), HOSTROUTE_DEFERRED);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 1U);
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	look_now(f);
	KUNIT_EXPECT_EQ(test, learned, 1U);
	KUNIT_EXPECT_EQ(test, learned_mtu, 1400U);
}

static void what_nothing_contradicts_is_believed_now(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct tcp_sock *tp = tcp_sk(f->sock->sk);

	/* At least 1000 * MSS / 1002 bytes of payload. */
	KUNIT_EXPECT_EQ(test, claim(f, 1445 + HEADERS), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, claim(f, 1444 + HEADERS), HOSTROUTE_DEFERRED);
	tp->snd_una += MSS;
	look_now(f);
	/* A fresh connection; one of small segments. */
	tp->snd_una = SEQ;
	tp->bytes_acked = 1;
	tp->delivered = 1;
	KUNIT_EXPECT_EQ(test, claim(f, 68), HOSTROUTE_CONTINUE);
	tp->bytes_acked = 1000 * 100;
	tp->delivered = 1000;
	KUNIT_EXPECT_EQ(test, claim(f, 200), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, claim(f, 100), HOSTROUTE_DEFERRED);
}

static void what_is_no_news_does_not_wait(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute route = { .mtu = 600, .class = HOSTROUTE_CLASS_PROVEN };

	f->claim.estimate = 1000;
	KUNIT_EXPECT_EQ(test, claim(f, 1000), HOSTROUTE_CONTINUE);
	f->claim.estimate = 1500;
	known = &route;
	KUNIT_EXPECT_EQ(test, claim(f, 700), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, claim(f, 600), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, claim(f, 599), HOSTROUTE_DEFERRED);
	known_expired = true;
	KUNIT_EXPECT_EQ(test, claim(f, 600), HOSTROUTE_DEFERRED);
	known_expired = false;
	route.class = HOSTROUTE_CLASS_UNPROVEN;
	KUNIT_EXPECT_EQ(test, claim(f, 600), HOSTROUTE_DEFERRED);
	route.class = HOSTROUTE_CLASS_FORWARDED;
	KUNIT_EXPECT_EQ(test, claim(f, 600), HOSTROUTE_DEFERRED);
	/* What is below the floor is taken as the floor. */
	known = NULL;
	f->hn.table.limits.min_mtu = 1498;
	KUNIT_EXPECT_EQ(test, claim(f, 68), HOSTROUTE_CONTINUE);
}

static void this_host_and_off_do_not_wait(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->claim.class = HOSTROUTE_CLASS_LOCAL;
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_CONTINUE);
	f->claim.class = HOSTROUTE_CLASS_PROVEN;
	f->hn.set.defer = HOSTROUTE_DEFER_OFF;
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
}

static void no_memory(struct kunit *test)
{
	struct fixture *f = test->priv;

	fail_alloc = true;
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_IGNORED_CONTRADICTED);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, 0U);
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);
}

/* Full: neither side loses. A claim is ignored, not believed; one about data
 * that has timed out is believed.
 */
static void bound_reached(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct socket **socks;
	int i;

	socks = kunit_kcalloc(test, MAX_WAITING, sizeof(*socks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, socks);
	for (i = 0; i < MAX_WAITING; i++) {
		socks[i] = make_socket(test);
		KUNIT_ASSERT_EQ(test, claim_by(f, socks[i], 552), HOSTROUTE_DEFERRED);
	}
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, MAX_WAITING);
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_IGNORED_CONTRADICTED);
	KUNIT_EXPECT_EQ(test, claim(f, 1499), HOSTROUTE_CONTINUE);
	/* Who waits already goes on. */
	KUNIT_EXPECT_EQ(test, claim_by(f, socks[7], 600), HOSTROUTE_DEFERRED);
	inet_csk(f->sock->sk)->icsk_retransmits = 1;
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_CONTINUE);
	inet_csk(f->sock->sk)->icsk_retransmits = 0;

	/* One look goes through all of them. */
	for (i = 0; i < MAX_WAITING; i += 2)
		tcp_sk(socks[i]->sk)->snd_una += MSS;
	look_now(f);
	KUNIT_EXPECT_EQ(test, f->hn.deferred.count, MAX_WAITING / 2);
	KUNIT_EXPECT_EQ(test, count(f, HOSTROUTE_DEFERRED_CLEARED),
			(unsigned long)MAX_WAITING / 2);
	KUNIT_EXPECT_EQ(test, claim(f, 552), HOSTROUTE_DEFERRED);

	/* The end of the namespace: all references come back. */
	hostroute_defer_net_exit(&f->hn);
	hostroute_defer_net_init(&f->hn);
	f->hn.deferred.count = 0;
	for (i = 0; i < MAX_WAITING; i++)
		drop_socket(test, socks[i]);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(nothing_acknowledged),
	KUNIT_CASE(full_segments),
	KUNIT_CASE(part_of_a_segment),
	KUNIT_CASE(what_was_sent_again_does_not_count),
	KUNIT_CASE(segment_count_wraps),
	KUNIT_CASE(no_mss_no_bound),
	KUNIT_CASE(never_too_high),
	KUNIT_CASE(fates),
	KUNIT_CASE(progress_is_remembered),
	KUNIT_CASE(cleared_by_an_ack),
	KUNIT_CASE(applied_by_a_timeout),
	KUNIT_CASE(dropped_if_the_path_is_gone),
	KUNIT_CASE(applied_by_the_next_message),
	KUNIT_CASE(a_timeout_before_the_claim_counts),
	KUNIT_CASE(owned_meanwhile),
	KUNIT_CASE(dropped_with_its_socket),
	KUNIT_CASE(dropped_when_the_module_is_off),
	KUNIT_CASE(two_claims_for_a_socket),
	KUNIT_CASE(what_nothing_contradicts_is_believed_now),
	KUNIT_CASE(what_is_no_news_does_not_wait),
	KUNIT_CASE(this_host_and_off_do_not_wait),
	KUNIT_CASE(no_memory),
	KUNIT_CASE(bound_reached),
	{}
};

static struct kunit_suite suite = {
	.name = "pmtu_hostroute_defer",
	.init = start,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit: claims that wait (RFC 5927 7.2)");
MODULE_LICENSE("GPL");
