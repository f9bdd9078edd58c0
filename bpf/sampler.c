/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The sampler: where is a worker now? Part of compass.c.
 *
 * It looks when the CPU clock ticks in a worker that is in a request (on CPU, an estimate), and when such a
 * worker leaves and regains the processor (off CPU, exact). It walks PHP's stack by the offsets that the
 * extension publishes and adds to the node of the request's call tree that the stack leads to.
 *
 * Both programs run with interrupts off, so they share per-CPU memory, and a worker's tree is only touched
 * by whoever runs the worker, or takes it off or onto a processor. What the walk carries from one frame to
 * the next lives in memory: the verifier forgets what it knew of it and sees every round of a loop as the
 * same.
 */

/* The part of a zend_execute_data that a walk needs, read in one go, in bytes. */
#define FRAME_BLOCK 64

struct frame {
	u64 function;
	u64 opline;
	u64 symbol;
	u32 line;
	u32 is_user;
};

struct walk {
	u8 block[FRAME_BLOCK];
	u64 begun_ns;
	u64 at;
	u64 stack;
	u32 depth;
	u32 node;
	u64 name, scope, class_name, file;
	u64 id;
	u64 hash, length, tail[4];
	struct symbol symbol;
	struct frame frames[COMPASS_STACK_DEPTH];
};

/* What is cached is valid for one request: its start is the generation. */
struct function_key {
	u64 function;
	u32 pid;
	u32 reserved;
};

struct function_value {
	u64 start_ns;
	u64 symbol;
	u32 is_user;
	u32 reserved;
};

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
	u32 reserved;
};

/* Allocated when a worker's first request begins, and kept until it dies. */
BPF_F_TABLE("hash", u32, struct tree_record, trees, COMPASS_PROCESSES, BPF_F_NO_PREALLOC);
BPF_ARRAY(empty_tree, struct tree_record, 1);
BPF_PERCPU_ARRAY(walks, struct walk, 1);
BPF_TABLE("lru_hash", struct function_key, struct function_value, functions, 65536);
BPF_TABLE("lru_hash", struct stack_key, struct node_value, stacks, 32768);
BPF_TABLE("lru_hash", struct edge_key, struct node_value, edges, 65536);
BPF_TABLE("lru_hash", u64, struct symbol, symbols, 16384);
/* By the address of the task: the tracepoint gives that of the next one, and nothing else of it is needed. */
BPF_HASH(absent, u64, struct absence, COMPASS_PROCESSES);
/* The second and the third stage of a walk, for each of the two programs that begin one. */
BPF_PROG_ARRAY(tick_stages, 2);
BPF_PROG_ARRAY(switch_stages, 2);

static inline u64 mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* The empty assembly keeps the compiler from moving the mask out of the verifier's sight. */
static inline struct tree_node *node_at(struct tree_record *tree, u64 index)
{
	index &= COMPASS_TREE_NODES - 1;
	asm volatile("" : "+r"(index));
	return &tree->nodes[index];
}

static inline struct frame *frame_at(struct walk *walk, u64 index)
{
	index &= COMPASS_STACK_DEPTH - 1;
	asm volatile("" : "+r"(index));
	return &walk->frames[index];
}

static inline u64 block_at(struct walk *walk, u64 offset)
{
	offset &= FRAME_BLOCK - sizeof(u64);
	asm volatile("" : "+r"(offset));
	return *(u64 *)&walk->block[offset];
}

static inline int fits_block(u64 offset)
{
	return offset <= FRAME_BLOCK - sizeof(u64) && offset % sizeof(u64) == 0;
}

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
	tree->walks = tree->cut = 0;
	tree->count = 1;
	clear_node(node_at(tree, 0));
	flight->is_walkable = fits_block(flight->layout.execute_data_func) &&
	                      fits_block(flight->layout.execute_data_opline) &&
	                      fits_block(flight->layout.execute_data_prev);
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
}

/* The current process ends. */
static inline void sampler_forget(u32 pid)
{
	u64 task = bpf_get_current_task();

	absent.delete(&task);
	trees.delete(&pid);
}

/*
 * Mix a zend_string into walk->id: its own hash, which PHP computes when it first needs it. Until then the
 * end of the text and its length stand for it: two texts must not be taken for each other, while one text
 * under two numbers does no harm. A null pointer makes the reads fail, and is a number like any other.
 */
static inline void mix_string(struct in_flight *flight, struct walk *walk, u64 string)
{
	walk->hash = walk->length = 0;
	bpf_probe_read_user(&walk->hash, sizeof(u64), (void *)(string + flight->layout.string_hash));
	if (!walk->hash) {
		walk->tail[0] = walk->tail[1] = walk->tail[2] = walk->tail[3] = 0;
		bpf_probe_read_user(&walk->length, sizeof(u64), (void *)(string + flight->layout.string_length));
		if (walk->length > sizeof(walk->tail))
			string += walk->length - sizeof(walk->tail);
		bpf_probe_read_user(walk->tail, sizeof(walk->tail), (void *)(string + flight->layout.string_value));
		walk->hash = mix(mix(walk->length, walk->tail[0]), walk->tail[1]);
		walk->hash = mix(mix(walk->hash, walk->tail[2]), walk->tail[3]);
	}
	walk->id = mix(walk->id, walk->hash);
}

/* Find out which function a frame is in, and read its names the first time that it is seen anywhere. */
static inline void identify(struct in_flight *flight, struct walk *walk, u32 pid, struct frame *frame)
{
	struct function_key key = {.function = frame->function, .pid = pid};
	struct function_value *known = functions.lookup(&key);
	struct symbol *symbol = &walk->symbol;
	u64 at = frame->function;

	if (known && known->start_ns == flight->start_ns) {
		frame->symbol = known->symbol;
		frame->is_user = known->is_user;
		return;
	}
	walk->name = walk->scope = walk->class_name = walk->file = 0;
	symbol->type = symbol->line = 0;
	symbol->function[0] = symbol->class[0] = symbol->file[0] = 0;
	/* It is one byte, and the others of the word are zero. */
	bpf_probe_read_user(&symbol->type, 1, (void *)(at + flight->layout.function_type));
	bpf_probe_read_user(&walk->name, sizeof(u64), (void *)(at + flight->layout.function_name));
	bpf_probe_read_user(&walk->scope, sizeof(u64), (void *)(at + flight->layout.function_scope));
	bpf_probe_read_user(&walk->class_name, sizeof(u64), (void *)(walk->scope + flight->layout.class_name));
	/* ZEND_USER_FUNCTION is 2, ZEND_EVAL_CODE 4, ZEND_INTERNAL_FUNCTION 1: an odd type has no op array. */
	frame->is_user = !(symbol->type & 1);
	if (frame->is_user) {
		bpf_probe_read_user(&walk->file, sizeof(u64), (void *)(at + flight->layout.op_array_filename));
		bpf_probe_read_user(
		    &symbol->line, sizeof(symbol->line), (void *)(at + flight->layout.op_array_line_start));
	}
	walk->id = mix(symbol->type, symbol->line);
	mix_string(flight, walk, walk->name);
	mix_string(flight, walk, walk->class_name);
	mix_string(flight, walk, walk->file);
	frame->symbol = walk->id;

	struct function_value value = {
	    .start_ns = flight->start_ns, .symbol = frame->symbol, .is_user = frame->is_user};

	functions.update(&key, &value);
	if (symbols.lookup(&value.symbol))
		return;
	bpf_probe_read_user_str(
	    symbol->function, sizeof(symbol->function), (void *)(walk->name + flight->layout.string_value));
	bpf_probe_read_user_str(
	    symbol->class, sizeof(symbol->class), (void *)(walk->class_name + flight->layout.string_value));
	bpf_probe_read_user_str(
	    symbol->file, sizeof(symbol->file), (void *)(walk->file + flight->layout.string_value));
	symbols.update(&value.symbol, symbol);
}

/* Collect the frames of the current process' PHP stack, from the leaf. */
static inline void collect_frames(struct in_flight *flight, struct walk *walk, struct tree_record *tree)
{
	u32 i;

	walk->at = 0;
	walk->depth = 0;
	bpf_probe_read_user(&walk->at, sizeof(walk->at), (void *)flight->layout.current_execute_data);
	for (i = 0; i < COMPASS_STACK_DEPTH; i++) {
		struct frame *frame = frame_at(walk, i);

		if (!walk->at)
			break;
		if (bpf_probe_read_user(walk->block, sizeof(walk->block), (void *)walk->at))
			break;
		frame->function = block_at(walk, flight->layout.execute_data_func);
		frame->opline = block_at(walk, flight->layout.execute_data_opline);
		walk->at = block_at(walk, flight->layout.execute_data_prev);
		walk->depth = i + 1;
	}
	if (walk->at)
		tree->cut++;
}

/* Identify every frame, and the stack as a whole. */
static inline void identify_frames(struct in_flight *flight, struct walk *walk, u32 pid)
{
	u32 i;

	walk->stack = 0;
	for (i = 0; i < COMPASS_STACK_DEPTH; i++) {
		struct frame *frame = frame_at(walk, i);

		if (i >= walk->depth)
			break;
		frame->symbol = 0;
		frame->line = 0;
		/* PHP puts a frame without a function where it calls from C. */
		if (!frame->function)
			continue;
		identify(flight, walk, pid, frame);
		/* Where an internal function has its opline is whatever was there before. */
		if (frame->is_user && frame->opline)
			bpf_probe_read_user(
			    &frame->line, sizeof(frame->line), (void *)(frame->opline + flight->layout.op_lineno));
		walk->stack = mix(mix(walk->stack, frame->symbol), frame->line);
	}
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
static inline int begin_walk(void)
{
	u64 now_ns = bpf_ktime_get_ns();
	struct tree_record *tree;
	struct in_flight *flight;
	struct walk *walk;
	int zero = 0;
	u32 pid;

	flight = current_worker(&pid);
	walk = walks.lookup(&zero);
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
static inline int continue_walk(void)
{
	struct in_flight *flight;
	struct walk *walk;
	int zero = 0;
	u32 pid;

	flight = current_worker(&pid);
	walk = walks.lookup(&zero);
	if (!flight || !walk)
		return 0;
	identify_frames(flight, walk, pid);
	return 1;
}

/* Third stage: find the node of the leaf. Returns the tree, the node's index in *node; NULL if there is none.
 */
static inline struct tree_record *end_walk(u32 *node)
{
	struct node_value *known;
	struct tree_record *tree;
	struct in_flight *flight;
	struct walk *walk;
	int zero = 0;
	u32 pid;

	flight = current_worker(&pid);
	walk = walks.lookup(&zero);
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
	*node = walk->node;
	return tree;
}

/* The CPU clock has ticked. */
int on_tick(struct bpf_perf_event_data *ctx)
{
	if (begin_walk())
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
	struct tree_record *tree;
	u32 node;

	tree = end_walk(&node);
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
	u32 pid;

	returning = absent.lookup(&next);
	if (returning) {
		pid = returning->pid;
		tree = trees.lookup(&pid);
		if (tree) {
			node = node_at(tree, returning->node);
			node->off_ns += bpf_ktime_get_ns() - returning->since_ns;
			node->waits += returning->is_wait;
		}
		absent.delete(&next);
	}
	if (begin_walk())
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
	struct absence absence = {.is_wait = !ctx->args[0] && (u32)ctx->args[3]};
	struct tree_record *tree;
	u64 task;
	u32 node;

	tree = end_walk(&node);
	if (!tree)
		return 0;
	absence.pid = tree->pid;
	absence.node = node;
	absence.since_ns = bpf_ktime_get_ns();
	task = bpf_get_current_task();
	absent.update(&task, &absence);
	return 0;
}
