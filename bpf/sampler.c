/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The sampler: where is a worker now, and for how long? Part of compass.c.
 *
 * It looks when the CPU clock ticks in a worker that is in a request (on CPU, an estimate), and when such a
 * worker leaves and regains the processor (off CPU, exact), and adds to the node of the request's call tree
 * that the stack leads to. Both programs run with interrupts off, and a worker's memory is only touched by
 * whoever runs the worker, or takes it off or onto a processor.
 *
 * When a worker gets a signal that ends it, the sampler looks once more, and then leaves it alone.
 */

/* The process of a task, by the task's address: tracepoints give that, and nothing else of it is needed. */
BPF_HASH(tasks, u64, u32, COMPASS_PROCESSES);

/*
 * How many workers in a request there are with an address like that. Every switch of the machine comes by
 * here, and most are over after one look into this table for each of the two tasks.
 */
#define BUSY_SLOTS 4096
BPF_ARRAY(busy, u32, BUSY_SLOTS);

/* The second and the third stage of a walk, for clock and tracepoints each. */
BPF_PROG_ARRAY(tick_stages, 2);
BPF_PROG_ARRAY(switch_stages, 2);

static inline u32 *busy_slot(u64 task)
{
	u32 slot = (task >> 6 ^ task >> 18) % BUSY_SLOTS;

	return busy.lookup(&slot);
}

static inline int may_be_busy(u64 task)
{
	u32 *count = busy_slot(task);

	return count && *count;
}

static inline void set_busy(struct worker *worker, u32 is_busy)
{
	u32 *count = busy_slot(bpf_get_current_task());

	if (!count || worker->is_busy == is_busy)
		return;
	worker->is_busy = is_busy;
	if (is_busy)
		__sync_fetch_and_add(count, 1);
	else
		__sync_fetch_and_add(count, -1);
}

/* A request begins in the current process: give it an empty tree. */
static inline void sampler_begin(struct in_flight *flight, u32 pid, const struct compass_request *request)
{
	struct worker *worker, *empty;
	struct settings *limits;
	int zero = 0;

	limits = settings.lookup(&zero);
	if (!limits || !limits->sampling)
		return;
	empty = empty_worker.lookup(&zero);
	if (!empty)
		return;
	worker = workers.lookup_or_try_init(&pid, empty);
	if (!worker || bpf_probe_read_user(&flight->layout, sizeof(flight->layout), &request->layout) ||
	    !is_walkable(&flight->layout)) {
		count(COUNTER_TREELESS);
		return;
	}
	clear_tree(worker, pid, flight->start_ns);
	flight->is_walkable = 1;
	set_busy(worker, 1);
}

/*
 * The worker is back: the time that it was away belongs to where it left. Now and then the kernel does not
 * tell of a switch; then this is found out when the worker is next seen.
 */
static inline void end_absence(struct worker *worker)
{
	struct tree_node *node;
	u64 away_ns;

	if (!worker->absence.since_ns)
		return;
	away_ns = bpf_ktime_get_ns() - worker->absence.since_ns;
	node = node_at(&worker->tree, worker->absence.node);
	node->off_ns += away_ns;
	node->waits += worker->absence.is_wait;
	worker->tree.waits += worker->absence.is_wait;
	worker->absence.since_ns = 0;
	if (worker->absence.has_text)
		texts_keep(&worker->tree, node, away_ns);
}

/* The request of the current process has ended. */
static inline void sampler_end(u32 pid)
{
	struct worker *worker = workers.lookup(&pid);

	if (!worker)
		return;
	end_absence(worker);
	set_busy(worker, 0);
}

/* How often the current process' request waited. */
static inline u64 sampler_waits(u32 pid, u64 start_ns)
{
	struct worker *worker = workers.lookup(&pid);

	return worker && worker->tree.start_ns == start_ns ? worker->tree.waits : 0;
}

/* Send the tree of the current process' request to user space. */
static inline void sampler_ship(u32 pid, u64 start_ns)
{
	struct worker *worker = workers.lookup(&pid);
	struct tree_record *tree;
	u64 nodes;

	if (!worker || worker->tree.start_ns != start_ns)
		return;
	tree = &worker->tree;
	count_many(COUNTER_WALKS, tree->walks);
	count_many(COUNTER_WALK_NS, tree->walk_ns);
	nodes = tree->count & (2 * COMPASS_TREE_NODES - 1);
	asm volatile("" : "+r"(nodes));
	if (nodes > COMPASS_TREE_NODES)
		return;
	if (request_shutdown.ringbuf_output(
	        tree, sizeof(*tree) - sizeof(tree->nodes) + nodes * sizeof(struct tree_node), 0))
		count(COUNTER_TREES_LOST);
	texts_ship(pid, start_ns);
}

/* The current process ends. */
static inline void sampler_forget(u32 pid)
{
	u64 task = bpf_get_current_task();

	sampler_end(pid);
	tasks.delete(&task);
	workers.delete(&pid);
	texts.delete(&pid);
}

/*
 * A walk has three stages, each a program of its own that ends in a tail call of the next: in one program,
 * every way out of a loop would make the verifier go through the following loops anew.
 */

/*
 * First stage: collect the frames of the current process, if it is a worker in a request. Returns whether
 * there is a walk to go on with.
 */
static inline int begin_walk(u32 is_signal)
{
	u64 id = bpf_get_current_pid_tgid();
	struct in_flight *flight;
	struct worker *worker;
	u32 pid = id >> 32;
	struct walk *walk;

	/* Its main thread is what runs PHP. */
	if (pid != (u32)id)
		return 0;
	flight = requests.lookup(&pid);
	if (!flight || !flight->is_walkable || flight->is_finished)
		return 0;
	if (flight->signal && !is_signal)
		return 0;
	walk = this_walk();
	worker = workers.lookup(&pid);
	if (!walk || !worker)
		return 0;
	end_absence(worker);
	walk->is_signal = is_signal;
	walk->begun_ns = bpf_ktime_get_ns();
	walk->pid = pid;
	walk->start_ns = flight->start_ns;
	walk->layout = flight->layout;
	collect_frames(walk, &worker->tree);
	return 1;
}

/* Second stage: identify them. */
static inline int continue_walk(void)
{
	struct walk *walk = this_walk();
	struct worker *worker;
	u32 pid;

	if (!walk)
		return 0;
	pid = walk->pid;
	worker = workers.lookup(&pid);
	if (!worker)
		return 0;
	identify_frames(worker, walk);
	return 1;
}

/* Third stage: find the node of the leaf, walk->node. Returns the worker, NULL if there is none. */
static inline struct worker *end_walk(struct walk *walk)
{
	struct worker *worker;
	u32 pid = walk->pid;

	worker = workers.lookup(&pid);
	if (!worker)
		return NULL;
	descend(worker, walk);
	worker->tree.walks++;
	worker->tree.walk_ns += bpf_ktime_get_ns() - walk->begun_ns;
	if (walk->node)
		worker->tree.last = walk->node;
	return worker;
}

/* The CPU clock has ticked. */
int on_tick(struct bpf_perf_event_data *ctx)
{
	if (may_be_busy(bpf_get_current_task()) && begin_walk(0))
		tick_stages.call(ctx, 0);
	return 0;
}

int tick_identify(struct bpf_perf_event_data *ctx)
{
	if (continue_walk())
		tick_stages.call(ctx, 1);
	return 0;
}

int tick_end(struct bpf_perf_event_data *ctx)
{
	struct walk *walk = this_walk();
	struct worker *worker;

	if (!walk)
		return 0;
	worker = end_walk(walk);
	if (worker)
		node_at(&worker->tree, walk->node)->ticks++;
	return 0;
}

/* The task gets the processor: it may be a worker that was away. */
static inline void return_task(u64 task)
{
	struct worker *worker;
	u32 *pid;

	pid = tasks.lookup(&task);
	if (!pid)
		return;
	worker = workers.lookup(pid);
	if (worker)
		end_absence(worker);
}

/*
 * sched_switch: bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state.
 * The current one is prev.
 */
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
	if (may_be_busy(ctx->args[2]))
		return_task(ctx->args[2]);
	if (may_be_busy(ctx->args[1]) && begin_walk(0))
		switch_stages.call(ctx, 0);
	return 0;
}

int switch_identify(struct bpf_raw_tracepoint_args *ctx)
{
	if (continue_walk())
		switch_stages.call(ctx, 1);
	return 0;
}

int switch_end(struct bpf_raw_tracepoint_args *ctx)
{
	struct walk *walk = this_walk();
	struct worker *worker;

	if (!walk)
		return 0;
	worker = end_walk(walk);
	/* Where a worker is that gets a signal is the last place that is known. */
	if (!worker || walk->is_signal)
		return 0;
	worker->absence.node = walk->node;
	/* Whoever only had to make room for others is still running (state 0), and does not wait. */
	worker->absence.is_wait = !ctx->args[0] && (u32)ctx->args[3];
	worker->absence.has_text = worker->absence.is_wait && walk->node ? texts_read(walk, walk->node) : 0;
	worker->absence.since_ns = bpf_ktime_get_ns();
	return 0;
}

/* Signals that end nothing by themselves. */
static inline int is_harmless(u64 signal)
{
	return signal == 17 /* SIGCHLD */ || signal == 18 /* SIGCONT */ || signal == 19 /* SIGSTOP */ ||
	       signal == 20 /* SIGTSTP */ || signal == 21 /* SIGTTIN */ || signal == 22 /* SIGTTOU */ ||
	       signal == 23 /* SIGURG */ || signal == 28 /* SIGWINCH */;
}

/*
 * signal_generate: int sig, struct kernel_siginfo *info, struct task_struct *task, int group, int result; in
 * the process that sends it. The kernel turns a signal that ends a process into SIGKILL for each of its
 * tasks.
 */
int on_signal_sent(struct bpf_raw_tracepoint_args *ctx)
{
	u64 task = ctx->args[2];
	struct in_flight *flight;
	u32 *pid;

	pid = tasks.lookup(&task);
	if (!pid || is_harmless(ctx->args[0]))
		return 0;
	flight = requests.lookup(pid);
	if (flight)
		flight->sent = ctx->args[0];
	return 0;
}

/*
 * signal_deliver: int sig, struct kernel_siginfo *info, struct k_sigaction *action, in the process that gets
 * it. An action begins with its handler, and 0 is SIG_DFL.
 */
int on_signal(struct bpf_raw_tracepoint_args *ctx)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32, signal = ctx->args[0];
	struct in_flight *flight;
	u64 handler = 1;

	flight = requests.lookup(&pid);
	if (!flight || flight->is_finished || is_harmless(signal))
		return 0;
	bpf_probe_read_kernel(&handler, sizeof(handler), (void *)ctx->args[2]);
	if (handler)
		return 0;
	flight->signal = signal == 9 /* SIGKILL */ && flight->sent ? flight->sent : signal;
	if (begin_walk(1))
		switch_stages.call(ctx, 0);
	return 0;
}
