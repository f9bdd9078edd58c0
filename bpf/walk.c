/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A walk of PHP's stack in the current process, by the offsets that the extension publishes. Part of
 * compass.c.
 *
 * What a walk carries from one frame to the next lives in memory: the verifier forgets what it knew of it,
 * and sees every round of a loop as the same. The memory is one per processor for walks with interrupts off,
 * and another one for those which the clock may interrupt.
 */

#define WALK_IRQS_OFF 0
#define WALK_IRQS_ON 1

/* The part of a zend_execute_data that a walk needs, read in one go, in bytes. */
#define FRAME_BLOCK 64

struct frame {
	u64 function;
	u64 opline;
	u64 symbol;
	u32 line;
	u32 is_user;
	u64 source;
};

struct walk {
	u8 block[FRAME_BLOCK];
	u64 begun_ns;
	u64 at;
	u64 leaf;
	u64 stack;
	u32 depth;
	u32 node;
	u64 name, scope, class_name, file;
	u64 id;
	u64 hash, length, tail[4];
	u64 source;
	struct text_key text_key;
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
	u32 source;
};

BPF_TABLE("lru_hash", struct function_key, struct function_value, functions, 65536);
BPF_TABLE("lru_hash", u64, struct symbol, symbols, 16384);
BPF_HASH(text_sources, struct text_key, u32, 512);
BPF_PERCPU_ARRAY(walks, struct walk, 2);

static inline u64 mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* The empty assembly keeps the compiler from moving the mask out of the verifier's sight. */
static inline struct frame *frame_at(struct walk *walk, u64 index)
{
	index &= COMPASS_STACK_DEPTH - 1;
	asm volatile("" : "+r"(index));
	return &walk->frames[index];
}

static inline struct tree_node *node_at(struct tree_record *tree, u64 index)
{
	index &= COMPASS_TREE_NODES - 1;
	asm volatile("" : "+r"(index));
	return &tree->nodes[index];
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

/* Where the function whose names' hashes are in walk->text_key has what it waits for: TEXT_SOURCE, 0 if
 * nowhere. */
static inline u32 text_source(struct walk *walk)
{
	u32 *source = text_sources.lookup(&walk->text_key);

	if (!source && walk->text_key.class) {
		walk->text_key.function = 0;
		source = text_sources.lookup(&walk->text_key);
	}
	return source ? *source : 0;
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
		frame->source = known->source;
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
	walk->text_key.function = walk->hash;
	mix_string(flight, walk, walk->class_name);
	walk->text_key.class = walk->scope ? walk->hash : 0;
	mix_string(flight, walk, walk->file);
	frame->symbol = walk->id;
	frame->source = frame->is_user ? 0 : text_source(walk);

	struct function_value value = {.start_ns = flight->start_ns,
	    .symbol = frame->symbol,
	    .is_user = frame->is_user,
	    .source = frame->source};

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
	walk->leaf = walk->at;
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
		frame->source = 0;
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
