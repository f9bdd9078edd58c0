/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The sampler: where is a worker now, and for how long? Part of compass.c.
 *
 * It looks when the CPU clock ticks in a worker that is in a request (on CPU, an estimate), and when such a
 * worker leaves and regains the processor (off CPU, exact), and adds to the node of the request's call tree
 * that the stack leads to.
 *
 * Both programs run with interrupts off, and a worker's tree is only touched by whoever runs the worker, or
 * takes it off or onto a processor. It also looks, and counts nothing, when a worker gets a signal that ends
 * it.
 */

struct edge_key {
	u64 symbol;
	u32 pid;
	u32 line;
	u32 parent;
	u32 reserved;
};

struct stack_key {
	u64 stack;
	u32 pid;
	u32 reserved;
};

struct node_value {
	u64 start_ns;
	u32 node;
	u32 reserved;
};

/* A worker that is off the processor. */
struct absence {
	u64 since_ns;
	u32 pid;
	u32 node;
	u32 is_wait;
	u32 has_text;
};

/* Allocated when a worker's first request begins, and kept until it dies. */
BPF_F_TABLE("hash", u32, struct tree_record, trees, COMPASS_PROCESSES, BPF_F_NO_PREALLOC);
BPF_ARRAY(empty_tree, struct tree_record, 1);
BPF_TABLE("lru_hash", struct stack_key, struct node_value, stacks, 32768);
BPF_TABLE("lru_hash", struct edge_key, struct node_value, edges, 65536);
/* By the address of the task: the tracepoint gives that of the next one, and nothing else of it is needed. */
BPF_HASH(absent, u64, struct absence, COMPASS_PROCESSES);
/* The second and the third stage of a walk, for each of the programs that begin one. */
BPF_PROG_ARRAY(tick_stages, 2);
BPF_PROG_ARRAY(switch_stages, 2);
BPF_PROG_ARRAY(signal_stages, 2);

static inline void clear_node(struct tree_node *node)
{
	node->symbol = node->off_ns = 0;
	node->line = node->ticks = node->waits = 0;
	node->parent = COMPASS_NO_PARENT;
}

/* A request begins in the current process: give it an empty tree. */
static inline void sampler_begin(struct in_flight *flight, u32 pid, const struct compass_request *request)
{
	struct tree_record *tree, *empty;
	struct settings *limits;
	int zero = 0;

	limits = settings.lookup(&zero);
	if (!limits || !limits->sampling)
		return;
	tree = trees.lookup(&pid);
	if (!tree) {
		empty = empty_tree.lookup(&zero);
		if (empty)
			trees.update(&pid, empty);
		tree = trees.lookup(&pid);
	}
	if (!tree || bpf_probe_read_user(&flight->layout, sizeof(flight->layout), &request->layout)) {
		count(COUNTER_TREELESS);
		return;
	}
	tree->kind = RECORD_TREE;
	tree->pid = pid;
	tree->start_ns = flight->start_ns;
	tree->walk_ns = 0;
	tree->walks = tree->cut = tree->waits = 0;
	tree->last = 0;
	tree->count = 1;
	clear_node(node_at(tree, 0));
	flight->is_walkable = fits_block(flight->layout.execute_data_func) &&
	                      fits_block(flight->layout.execute_data_opline) &&
	                      fits_block(flight->layout.execute_data_prev);
}

/* How often the request of the current process has waited; 0 if it has no tree. */
static inline u32 sampler_waits(u32 pid, u64 start_ns)
{
	struct tree_record *tree = trees.lookup(&pid);

	return tree && tree->start_ns == start_ns ? tree->waits : 0;
}

/* Send the tree of the current process' request to user space. */
static inline void sampler_ship(u32 pid, u64 start_ns)
{
	struct tree_record *tree = trees.lookup(&pid);
	u64 nodes;

	if (!tree || tree->start_ns != start_ns)
		return;
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

	absent.delete(&task);
	trees.delete(&pid);
	texts.delete(&pid);
}

/* Follow the frames from the root through the tree, adding the nodes that are not there yet. */
static inline void descend(struct in_flight *flight, struct walk *walk, struct tree_record *tree, u32 pid)
{
	u32 i;

	walk->node = COMPASS_NO_PARENT;
	for (i = 0; i < COMPASS_STACK_DEPTH; i++) {
		struct frame *frame = frame_at(walk, walk->depth - 1 - i);

		if (i >= walk->depth)
			break;
		if (!frame->symbol)
			continue;

		struct edge_key key = {
		    .symbol = frame->symbol, .pid = pid, .line = frame->line, .parent = walk->node};
		struct node_value *edge = edges.lookup(&key);

		if (edge && edge->start_ns == flight->start_ns) {
			walk->node = edge->node;
			continue;
		}
		if (tree->count >= COMPASS_TREE_NODES) {
			/* Ends the loop, but keeps the verifier from seeing a state of its own for every way out of it.
			 */
			walk->node = 0;
			walk->depth = 0;
			continue;
		}

		struct node_value value = {.start_ns = flight->start_ns, .node = tree->count};
		struct tree_node *node = node_at(tree, value.node);

		clear_node(node);
		node->symbol = frame->symbol;
		node->line = frame->line;
		node->parent = walk->node;
		tree->count++;
		edges.update(&key, &value);
		walk->node = value.node;
	}
	/* No frame at all: PHP starts the request, or ends it. */
	if (walk->node == COMPASS_NO_PARENT)
		walk->node = 0;
}

/* The current process, if it is a worker in a request that can be walked; its main thread is what runs PHP.
 */
static inline struct in_flight *current_worker(u32 *pid)
{
	u64 id = bpf_get_current_pid_tgid();
	struct in_flight *flight;

	*pid = id >> 32;
	if (*pid != (u32)id)
		return NULL;
	flight = requests.lookup(pid);
	return flight && flight->is_walkable && !flight->is_finished ? flight : NULL;
}

/*
 * A walk has three stages, each a program of its own that ends in a tail call of the next: in one program,
 * every way out of a loop would make the verifier go through the following loops anew.
 */

/* First stage: collect the frames. Returns whether there is a walk to go on with. */
static inline int begin_walk(int memory)
{
	u64 now_ns = bpf_ktime_get_ns();
	struct tree_record *tree;
	struct in_flight *flight;
	struct walk *walk;
	u32 pid;

	flight = current_worker(&pid);
	walk = walks.lookup(&memory);
	if (!flight || !walk)
		return 0;
	tree = trees.lookup(&pid);
	if (!tree)
		return 0;
	walk->begun_ns = now_ns;
	collect_frames(flight, walk, tree);
	return 1;
}

/* Second stage: identify them. */
static inline int continue_walk(int memory)
{
	struct in_flight *flight;
	struct walk *walk;
	u32 pid;

	flight = current_worker(&pid);
	walk = walks.lookup(&memory);
	if (!flight || !walk)
		return 0;
	identify_frames(flight, walk, pid);
	return 1;
}

/* Third stage: find the node of the leaf. Returns the tree, the node's index in *node; NULL if there is none.
 */
static inline struct tree_record *end_walk(int memory, u32 *node)
{
	struct node_value *known;
	struct tree_record *tree;
	struct in_flight *flight;
	struct walk *walk;
	u32 pid;

	flight = current_worker(&pid);
	walk = walks.lookup(&memory);
	if (!flight || !walk)
		return NULL;
	tree = trees.lookup(&pid);
	if (!tree)
		return NULL;

	/* Most stacks were met before: a loop of queries waits at one place. */
	struct stack_key key = {.stack = walk->stack, .pid = pid};

	known = stacks.lookup(&key);
	if (known && known->start_ns == flight->start_ns) {
		walk->node = known->node;
	} else {
		descend(flight, walk, tree, pid);

		struct node_value value = {.start_ns = flight->start_ns, .node = walk->node};

		stacks.update(&key, &value);
	}
	tree->walks++;
	tree->walk_ns += bpf_ktime_get_ns() - walk->begun_ns;
	if (walk->node)
		tree->last = walk->node;
	*node = walk->node;
	return tree;
}

/* The CPU clock has ticked. */
int on_tick(struct bpf_perf_event_data *ctx)
{
	if (begin_walk(WALK_IRQS_OFF))
		tick_stages.call(ctx, 0);
	return 0;
}

int tick_identify(struct bpf_perf_event_data *ctx)
{
	if (continue_walk(WALK_IRQS_OFF))
		tick_stages.call(ctx, 1);
	return 0;
}

int tick_end(struct bpf_perf_event_data *ctx)
{
	struct tree_record *tree;
	u32 node;

	tree = end_walk(WALK_IRQS_OFF, &node);
	if (tree)
		node_at(tree, node)->ticks++;
	return 0;
}

/*
 * sched_switch: bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state.
 * The current one is prev. Whoever only had to make room for others is still running (state 0), and does not
 * wait.
 */
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
	u64 next = ctx->args[2];
	struct absence *returning;
	struct tree_record *tree;
	struct tree_node *node;
	u64 away_ns;
	u32 pid;

	returning = absent.lookup(&next);
	if (returning) {
		pid = returning->pid;
		tree = trees.lookup(&pid);
		if (tree) {
			away_ns = bpf_ktime_get_ns() - returning->since_ns;
			node = node_at(tree, returning->node);
			node->off_ns += away_ns;
			node->waits += returning->is_wait;
			tree->waits += returning->is_wait;
			if (returning->has_text)
				texts_keep(tree, node, away_ns);
		}
		absent.delete(&next);
	}
	if (begin_walk(WALK_IRQS_OFF))
		switch_stages.call(ctx, 0);
	return 0;
}

int switch_identify(struct bpf_raw_tracepoint_args *ctx)
{
	if (continue_walk(WALK_IRQS_OFF))
		switch_stages.call(ctx, 1);
	return 0;
}

int switch_end(struct bpf_raw_tracepoint_args *ctx)
{
	struct absence absence = {.is_wait = !ctx->args[0] && (u32)ctx->args[3]};
	struct tree_record *tree;
	u64 task;
	u32 node;

	tree = end_walk(WALK_IRQS_OFF, &node);
	if (!tree)
		return 0;
	absence.pid = tree->pid;
	absence.node = node;
	if (absence.is_wait && node)
		absence.has_text = texts_read(tree->pid, node);
	absence.since_ns = bpf_ktime_get_ns();
	task = bpf_get_current_task();
	absent.update(&task, &absence);
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
 * signal_deliver: int sig, struct kernel_siginfo *info, struct k_sigaction *action, in the process that gets
 * it. An action begins with its handler, and 0 is SIG_DFL.
 */
int on_signal(struct bpf_raw_tracepoint_args *ctx)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct in_flight *flight;
	u64 handler = 1;

	flight = requests.lookup(&pid);
	if (!flight || is_harmless(ctx->args[0]))
		return 0;
	bpf_probe_read_kernel(&handler, sizeof(handler), (void *)ctx->args[2]);
	if (handler)
		return 0;
	flight->signal = ctx->args[0];
	if (begin_walk(WALK_IRQS_ON))
		signal_stages.call(ctx, 0);
	return 0;
}

int signal_identify(struct bpf_raw_tracepoint_args *ctx)
{
	if (continue_walk(WALK_IRQS_ON))
		signal_stages.call(ctx, 1);
	return 0;
}

int signal_end(struct bpf_raw_tracepoint_args *ctx)
{
	u32 node;

	/* Where it is now is the last place that is known. */
	end_walk(WALK_IRQS_ON, &node);
	return 0;
}
