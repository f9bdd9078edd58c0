/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel side of Compass: what its parts share. compassd compiles compass.c, walk.c, tree.c, texts.c,
 * sampler.c and requests.c as one text, in this order, as bcc knows the maps of one file only.
 *
 * Uprobes can be preempted, so their programs use no per-CPU memory: records are filled in the ring buffer
 * itself, and counters are added to atomically.
 */
/* The kernel compares the text, blanks and all. */
/* clang-format off */
#define BPF_LICENSE Dual MIT/GPL
/* clang-format on */

#include <uapi/linux/ptrace.h>

#include "compass_records.h"

#ifndef COMPASS_REQUEST_RING_PAGES
#error "COMPASS_REQUEST_RING_PAGES is not set: a power of two, in pages"
#endif
#ifndef COMPASS_FUNCTION_RING_PAGES
#error "COMPASS_FUNCTION_RING_PAGES is not set: a power of two, in pages"
#endif
#ifndef COMPASS_PROCESSES
#error "COMPASS_PROCESSES is not set: how many workers can be in a request at once"
#endif

/*
 * bcc looks a helper that has its own name up among all symbols of the kernel, at every call anew: that took
 * longer than the rest of its work. It wants to know whether the kernel has it; one with ring buffers does.
 */
static int (*read_user)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user;
static int (*read_user_str)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user_str;
#define bpf_probe_read_user read_user
#define bpf_probe_read_user_str read_user_str

/* A request that has begun. The key is its process: a worker serves one request at a time. */
struct in_flight {
	u64 start_ns;
	u32 functions_lost;
	/* It has ended. Kept until the next one begins, or the process ends: see is_repeated(). */
	u32 is_finished;
	/* Whether the sampler can follow layout. */
	u32 is_walkable;
	/* The last signal that was sent to it, and the one that ends it now. */
	u32 sent;
	u32 signal;
	u32 reserved;
	struct compass_layout layout;
};

BPF_RINGBUF_OUTPUT(request_shutdown, COMPASS_REQUEST_RING_PAGES);
BPF_RINGBUF_OUTPUT(function_end, COMPASS_FUNCTION_RING_PAGES);
BPF_HASH(requests, u32, struct in_flight, COMPASS_PROCESSES);
BPF_ARRAY(settings, struct settings, 1);
BPF_PERCPU_ARRAY(counters, u64, COUNTERS);
BPF_PERCPU_ARRAY(durations, u64, COMPASS_DURATION_SLOTS);
/* No program uses it: what of the counters the daemon has told of, for the next daemon. */
BPF_ARRAY(reported, u64, COUNTERS);
/*
 * No program uses it: the daemon puts the events here that its programs are attached by, a few for every file
 * of the extension and one for every processor. So they are held by one descriptor.
 */
BPF_PERF_ARRAY(events, 8192);

static inline void count_many(u32 counter, u64 amount)
{
	u64 *value = counters.lookup(&counter);

	if (value)
		__sync_fetch_and_add(value, amount);
}

static inline void count(u32 counter)
{
	count_many(counter, 1);
}
