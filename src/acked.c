// SPDX-License-Identifier: GPL-2.0
/*
 * How large a packet a connection's peer has acknowledged, at least. TCP keeps no size of
 * the largest segment acknowledged. It keeps sums, and the largest is at least the mean.
 */
#include "acked.h"

#include <linux/ip.h>
#include <linux/math64.h>
#include <net/tcp.h>

/**
 * struct acked - what a connection's counters say about its segments
 * @bytes:	acknowledged
 * @resent:	bytes sent again
 * @delivered:	segments acknowledged, also selectively; wraps
 * @mss_max:	bytes of payload; no segment carries more
 */
struct acked {
	u64 bytes;
	u64 resent;
	u32 delivered;
	u32 mss_max;
};

/* A lower bound on the payload of the largest acknowledged segment, bytes: the mean,
 * with everything that is uncertain counted against it.
 *
 * Bytes: one less, for a SYN. Less all that was sent again: it may have arrived in
 * pieces of another size than were counted in the end. (A FIN is never among the
 * bytes: nothing is in flight after that.)
 *
 * Segments: one more, for a segment that is acknowledged in part. A SYN is counted as
 * well, and so is what is selectively acknowledged, and each duplicate ACK on a
 * connection without SACK. These only make the mean smaller.
 *
 * The count of segments wraps. Then the mean is larger than any segment can be, and
 * the smallest number of wraps that explains it is added.
 */
static u32 least_largest(const struct acked *acked)
{
	u64 out = acked->resent + 1;
	u64 bytes = acked->bytes > out ? acked->bytes - out : 0;
	u64 segments = (u64)acked->delivered + 1;
	u64 fewest;

	if (!acked->mss_max)
		return 0;
	fewest = div_u64(bytes + acked->mss_max - 1, acked->mss_max);
	if (segments < fewest)
		segments += round_up(fewest - segments, BIT_ULL(32));
	return div64_u64(bytes, segments);
}

/* A lower bound on the largest packet that the peer has acknowledged, bytes; 0 if
 * nothing is known. If the message arrives inside the owner's own system call, another
 * CPU may be changing these counters meanwhile. So the bytes are read first: TCP
 * counts segments after them.
 */
u32 hostroute_acked_largest(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 header = READ_ONCE(tp->tcp_header_len);
	u32 options = header - sizeof(struct tcphdr);
	u32 mss = READ_ONCE(tp->rx_opt.mss_clamp);
	struct acked acked = {
		.mss_max = mss > options ? mss - options : 0,
	};
	u32 payload;

	acked.bytes = READ_ONCE(tp->bytes_acked);
	if (!acked.bytes)
		return 0;
	smp_rmb();	/* pairs with nothing; makes a bad reading less likely */
	acked.delivered = READ_ONCE(tp->delivered);
	acked.resent = READ_ONCE(tp->bytes_retrans);
	payload = least_largest(&acked);
	/* The header has the options of every segment. SACK and IP options would add
	 * to it.
	 */
	return payload ? sizeof(struct iphdr) + header + payload : 0;
}
