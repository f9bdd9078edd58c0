/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The call tree of a worker's request: from a stack to a node. Part of compass.c.
 *
 * The frames near the root are mostly those of the walk before, so only what differs is looked up: first the
 * function, then the node. Nodes are found in a hash table beside them, with open addressing.
 */

/* Slots of the table of nodes, a power of two: at most half of them are in use. */
#define NODE_SLOTS (2 * COMPASS_TREE_NODES)
/* How often the third stage may look into the table, for all frames of a walk. */
#define PROBES (2 * COMPASS_STACK_DEPTH)

/* A frame of the walk before, from the root. */
struct known_frame {
	u64 function;
	u64 opline;
	u32 node;
	u8 is_user;
	/* As in struct function_value. */
	u8 is_lasting;
	u16 source;
};

struct worker {
	struct tree_record tree;
	struct absence absence;
	/* Whether its task is in the filter of busy tasks. */
	u32 is_busy;
	u32 depth;
	struct known_frame known[COMPASS_STACK_DEPTH];
	/* Indices of nodes, 0 for none. */
	u16 table[NODE_SLOTS];
};

/* Allocated when a worker's first request begins, and kept until it dies. */
BPF_F_TABLE("hash", u32, struct worker, workers, COMPASS_PROCESSES, BPF_F_NO_PREALLOC);
BPF_ARRAY(empty_worker, struct worker, 1);

static inline struct tree_node *node_at(struct tree_record *tree, u64 index)
{
	index &= COMPASS_TREE_NODES - 1;
	asm volatile("" : "+r"(index));
	return &tree->nodes[index];
}

static inline struct known_frame *known_at(struct worker *worker, u64 index)
{
	index &= COMPASS_STACK_DEPTH - 1;
	asm volatile("" : "+r"(index));
	return &worker->known[index];
}

static inline u16 *slot_of(struct worker *worker, u64 hash)
{
	hash &= NODE_SLOTS - 1;
	asm volatile("" : "+r"(hash));
	return &worker->table[hash];
}

static inline void clear_node(struct tree_node *node)
{
	node->symbol = node->off_ns = 0;
	node->line = node->ticks = node->waits = 0;
	node->parent = COMPASS_NO_PARENT;
}

/* Give the worker an empty tree for a request. */
static inline void clear_tree(struct worker *worker, u32 pid, u64 start_ns)
{
	struct tree_record *tree = &worker->tree;
	struct worker *empty;
	int zero = 0;

	empty = empty_worker.lookup(&zero);
	if (empty)
		bpf_probe_read_kernel(worker->table, sizeof(worker->table), empty->table);
	worker->depth = 0;
	worker->absence.since_ns = 0;
	tree->kind = RECORD_TREE;
	tree->pid = pid;
	tree->start_ns = start_ns;
	tree->walk_ns = 0;
	tree->walks = tree->cut = tree->waits = tree->last = 0;
	tree->count = 1;
	clear_node(node_at(tree, 0));
}

/* Whether the frame, number i from the root, is that of the walk before, if the same code is still there. */
static inline int is_as_before(struct worker *worker, struct frame *frame, u32 i)
{
	struct known_frame *known = known_at(worker, i);

	if (i >= worker->depth || known->function != frame->function)
		return 0;
	/* Where an internal function has its opline is whatever was there before. */
	return !known->is_user || known->opline == frame->opline;
}

/* Read the line that a frame is at. Its page may not be there yet: then the line of the operation before. */
static inline void read_line(struct walk *walk, struct frame *frame)
{
	u64 at = frame->opline + walk->layout.op_lineno;

	if (bpf_probe_read_user(&frame->line, sizeof(frame->line), (void *)at))
		bpf_probe_read_user(&frame->line, sizeof(frame->line), (void *)(at - walk->layout.op_size));
}

/* Identify the frames that differ from those of the walk before, or whose code may have gone. */
static inline void identify_frames(struct worker *worker, struct walk *walk)
{
	u32 i;

	walk->known = 0;
	walk->is_known = 1;
#pragma nounroll
	for (i = 0; i < COMPASS_STACK_DEPTH; i++) {
		struct frame *frame = frame_at(walk, walk->depth - 1 - i);
		struct known_frame *known = known_at(worker, i);
		struct tree_node *node;

		if (i >= walk->depth)
			break;
		walk->is_known = walk->is_known && is_as_before(worker, frame, i);
		if (walk->is_known && known->is_lasting) {
			frame->source = known->source;
			walk->known = i + 1;
			continue;
		}
		frame->symbol = 0;
		frame->line = 0;
		frame->source = frame->is_user = 0;
		/* PHP puts a frame without a function where it calls from C. */
		frame->is_lasting = 1;
		if (frame->function)
			identify(walk, frame);
		if (frame->is_user && frame->opline)
			read_line(walk, frame);
		node = node_at(&worker->tree, known->node);
		walk->is_known = walk->is_known && node->symbol == frame->symbol && node->line == frame->line;
		if (walk->is_known)
			walk->known = i + 1;
	}
}

/* A node below walk->node for the frame, in an empty slot. Returns its index, 0 if there is no room. */
static inline u32 add_node(struct tree_record *tree, struct walk *walk, struct frame *frame)
{
	struct tree_node *node;
	u32 index = tree->count;

	if (index >= COMPASS_TREE_NODES)
		return 0;
	node = node_at(tree, index);
	clear_node(node);
	node->symbol = frame->symbol;
	node->line = frame->line;
	node->parent = walk->node;
	tree->count = index + 1;
	return index;
}

/* Find the node of each frame that differs from those of the walk before, adding those that are not there
 * yet. */
static inline void descend(struct worker *worker, struct walk *walk)
{
	struct tree_record *tree = &worker->tree;
	u32 i;

	walk->node = COMPASS_NO_PARENT;
	if (walk->known)
		walk->node = known_at(worker, walk->known - 1)->node;
	walk->position = walk->known;
	walk->probes = 0;
/* One loop instead of two, one in the other: the verifier would multiply them. */
#pragma nounroll
	for (i = 0; i < PROBES; i++) {
		struct frame *frame = frame_at(walk, walk->depth - 1 - walk->position);
		struct known_frame *known = known_at(worker, walk->position);

		if (walk->position >= walk->depth)
			break;
		if (frame->symbol) {
			u64 hash = mix(mix(frame->symbol, frame->line), walk->node);
			u16 *slot = slot_of(worker, (hash >> 32) + walk->probes);
			struct tree_node *node = node_at(tree, *slot);
			u32 index = *slot;

			if (!index) {
				index = add_node(tree, walk, frame);
				*slot = index;
			} else if (node->symbol != frame->symbol || node->line != frame->line ||
			           node->parent != walk->node) {
				walk->probes++;
				continue;
			}
			walk->node = index;
			/* Ends the loop, but keeps the verifier from seeing a state of its own for every way out of
			 * it.
			 */
			if (!index) {
				walk->depth = 0;
				continue;
			}
		}
		known->function = frame->function;
		known->opline = frame->opline;
		known->node = walk->node;
		known->is_user = frame->is_user;
		known->is_lasting = frame->is_lasting;
		known->source = frame->source;
		walk->position++;
		walk->probes = 0;
	}
	/* The rest of the stack found no room, or the table is too full to look further. */
	if (walk->position < walk->depth)
		walk->node = 0;
	worker->depth = walk->position;
	/* No frame at all: PHP starts the request, or ends it. */
	if (walk->node == COMPASS_NO_PARENT)
		walk->node = 0;
}
