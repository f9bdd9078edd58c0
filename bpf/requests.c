/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The probes: requests begin and end, functions end, processes die. Part of compass.c. */

/* What was known of a worker's request at its start: for one that still runs, or never ends. */
BPF_F_TABLE("hash", u32, struct compass_request, starts, COMPASS_PROCESSES, BPF_F_NO_PREALLOC);
BPF_ARRAY(empty_start, struct compass_request, 1);

/* The numbers at the beginning of struct compass_request, up to its layout. */
struct request_head {
	u32 version;
	u32 size;
	u64 start_ns;
	u64 duration_ns;
	u64 cpu_ns;
	u64 memory_peak;
	u32 flags;
};

static inline void count_duration(u64 duration_ns)
{
	u32 slot = bpf_log2l(duration_ns / 1000);
	u64 *value;

	/* bpf_log2l() is the number of bits in use, one more than the exponent. */
	if (slot > 0)
		slot--;
	if (slot >= COMPASS_DURATION_SLOTS)
		slot = COMPASS_DURATION_SLOTS - 1;
	value = durations.lookup(&slot);
	if (value)
		__sync_fetch_and_add(value, 1);
}

/* Read the head of the request at address and check that it speaks this version of the ABI. */
static inline int read_head(struct request_head *head, const void *address)
{
	if (bpf_probe_read_user(head, sizeof(*head), address)) {
		count(COUNTER_UNREADABLE);
		return -1;
	}
	if (head->version != COMPASS_ABI_VERSION || head->size != sizeof(struct compass_request)) {
		count(COUNTER_FOREIGN);
		return -1;
	}
	return 0;
}

/*
 * Two files can be one inode to the kernel and two to user space: layers that containers share. Both
 * attachments then fire for one request, one right after the other.
 */
static inline int is_repeated(struct in_flight *flight, u64 start_ns, u32 is_finished)
{
	return flight && flight->start_ns == start_ns && flight->is_finished == is_finished;
}

/* A request begins in the current process: keep what is known of it. */
static inline void keep_start(u32 pid, const struct compass_request *request)
{
	struct compass_request *start, *empty;
	int zero = 0;

	empty = empty_start.lookup(&zero);
	if (!empty)
		return;
	start = starts.lookup_or_try_init(&pid, empty);
	if (!start ||
	    bpf_probe_read_user(start, __builtin_offsetof(struct compass_request, transaction), request)) {
		count(COUNTER_UNREADABLE);
		return;
	}
	/* They are known at its end. */
	start->duration_ns = start->cpu_ns = start->memory_peak = 0;
	start->status = start->tag_count = 0;
	start->transaction[0] = 0;
	start->flags |= COMPASS_REQUEST_LATE;
}

/* So that the current process is known by its task, too. */
static inline void keep_task(u32 pid)
{
	u64 task = bpf_get_current_task();
	u32 *known = tasks.lookup(&task);

	if (!known || *known != pid)
		tasks.update(&task, &pid);
}

int on_request_init(struct pt_regs *ctx)
{
	const void *request = (const void *)PT_REGS_PARM4(ctx);
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct request_head head = {};
	struct in_flight flight = {};

	if (read_head(&head, request) || is_repeated(requests.lookup(&pid), head.start_ns, 0))
		return 0;
	count(COUNTER_STARTED);
	flight.start_ns = head.start_ns;
	keep_start(pid, request);
	keep_task(pid);
	sampler_begin(&flight, pid, request);
	if (requests.update(&pid, &flight))
		count(COUNTER_UNTRACKED);
	return 0;
}

int on_request_shutdown(struct pt_regs *ctx)
{
	const void *request = (const void *)PT_REGS_PARM4(ctx);
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	u32 functions_lost = 0, start_seen = 0;
	struct request_head head = {};
	struct request_record *record;
	struct in_flight *flight;
	struct settings *limits;
	int zero = 0;

	flight = requests.lookup(&pid);
	if (read_head(&head, request) || is_repeated(flight, head.start_ns, 1))
		return 0;
	if (flight && flight->start_ns == head.start_ns) {
		functions_lost = flight->functions_lost;
		start_seen = 1;
		flight->is_finished = 1;
	} else {
		struct in_flight finished = {.start_ns = head.start_ns, .is_finished = 1};

		if (requests.update(&pid, &finished))
			count(COUNTER_UNTRACKED);
	}
	sampler_end(pid);
	count(COUNTER_FINISHED);
	count_duration(head.duration_ns);
	if (!start_seen)
		count(COUNTER_LATE);

	limits = settings.lookup(&zero);
	if (!limits)
		return 0;
	if (head.duration_ns <= limits->duration_ns && head.cpu_ns <= limits->cpu_ns &&
	    head.memory_peak <= limits->memory &&
	    (limits->waits == COMPASS_UNLIMITED || sampler_waits(pid, head.start_ns) <= limits->waits))
		return 0;

	/* Before the request, so that user space has the tree when it gets to know of the request. */
	if (start_seen)
		sampler_ship(pid, head.start_ns);
	record = request_shutdown.ringbuf_reserve(sizeof(*record));
	if (!record) {
		count(COUNTER_LOST);
		return 0;
	}
	record->kind = RECORD_REQUEST;
	record->pid = pid;
	record->functions_lost = functions_lost;
	record->start_seen = start_seen;
	record->signal = record->reserved = 0;
	if (bpf_probe_read_user(&record->request, sizeof(record->request), request)) {
		request_shutdown.ringbuf_discard(record, 0);
		count(COUNTER_UNREADABLE);
		return 0;
	}
	request_shutdown.ringbuf_submit(record, 0);
	count(COUNTER_SHIPPED);
	return 0;
}

int on_function_end(struct pt_regs *ctx)
{
	const void *function = (const void *)PT_REGS_PARM2(ctx);
	const void *class = (const void *)PT_REGS_PARM3(ctx);
	u64 elapsed_ns = PT_REGS_PARM4(ctx);
	const void *call_address = (const void *)PT_REGS_PARM5(ctx);
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct function_record *record;
	struct compass_call call = {};
	struct in_flight *flight;
	struct settings *limits;
	int zero = 0;

	limits = settings.lookup(&zero);
	if (!limits || elapsed_ns < limits->function_ns)
		return 0;
	/* A request that began before the probes were attached cannot be traced completely. */
	flight = requests.lookup(&pid);
	if (!flight || flight->is_finished)
		return 0;
	record = function_end.ringbuf_reserve(sizeof(*record));
	if (!record) {
		flight->functions_lost++;
		count(COUNTER_FUNCTIONS_LOST);
		return 0;
	}
	if (bpf_probe_read_user(&call, sizeof(call), call_address)) {
		function_end.ringbuf_discard(record, 0);
		flight->functions_lost++;
		count(COUNTER_UNREADABLE);
		return 0;
	}
	record->pid = pid;
	record->line = call.line;
	record->request_start_ns = flight->start_ns;
	record->start_ns = call.start_ns;
	record->elapsed_ns = elapsed_ns;
	record->depth = call.depth;
	record->reserved = 0;
	/* A string that cannot be read must not show what the ring buffer held before. */
	record->function[0] = record->class[0] = record->file[0] = 0;
	bpf_probe_read_user_str(record->function, sizeof(record->function), function);
	bpf_probe_read_user_str(record->class, sizeof(record->class), class);
	bpf_probe_read_user_str(record->file, sizeof(record->file), call.file);
	function_end.ringbuf_submit(record, 0);
	count(COUNTER_FUNCTIONS_SHIPPED);
	return 0;
}

/* The current process ends in the middle of its request: a crash, the OOM killer, a time-out. */
static inline void ship_died(u32 pid, struct in_flight *flight)
{
	struct compass_request *start = starts.lookup(&pid);
	struct request_record *record;

	if (!start || start->start_ns != flight->start_ns)
		return;
	sampler_ship(pid, flight->start_ns);
	record = request_shutdown.ringbuf_reserve(sizeof(*record));
	if (!record) {
		count(COUNTER_LOST);
		return;
	}
	record->kind = RECORD_DIED;
	record->pid = pid;
	record->functions_lost = flight->functions_lost;
	record->start_seen = 1;
	record->signal = flight->signal;
	record->reserved = 0;
	bpf_probe_read_kernel(&record->request, sizeof(record->request), start);
	record->request.duration_ns = bpf_ktime_get_ns() - flight->start_ns;
	request_shutdown.ringbuf_submit(record, 0);
}

/* A worker that ends in mid-request must not stay in the table. */
int on_process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 pid = id >> 32;
	struct in_flight *flight;

	if (pid != (u32)id)
		return 0;
	flight = requests.lookup(&pid);
	if (flight) {
		if (!flight->is_finished) {
			count(COUNTER_DIED);
			ship_died(pid, flight);
		}
		requests.delete(&pid);
		starts.delete(&pid);
	}
	sampler_forget(pid);
	return 0;
}
