/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A walk of PHP's stack in the current process, by the offsets that the extension publishes. Part of
 * compass.c.
 *
 * What a walk carries from one frame to the next lives in memory: the verifier forgets what it knew of it,
 * and sees every round of a loop as the same. The memory is one per processor: nothing preempts a walk, and
 * the clock, which may interrupt that of a worker with a signal, leaves such a worker alone.
 */

/* The part of a zend_execute_data that a walk needs, in bytes. */
#define FRAME_BLOCK 64
/*
 * How much of PHP's stack is read in one go, a power of two: callers are mostly right below in memory, and it
 * is the number of reads that takes time.
 */
#define WINDOW 2048
#define PAGE_MASK 4095ULL
/* The same of a zend_function, a power of two: its type, its name and its class. */
#define FUNCTION_BLOCK 32
/*
 * Bits of a function's flags, zend_compile.h (the same in PHP 8.2 to 8.4): in opcache's memory, made for one
 * call of __call(), a closure's, a closure's of an existing function.
 */
#define ACC_IMMUTABLE (1u << 7)
#define ACC_CALL_VIA_TRAMPOLINE (1u << 18)
#define ACC_CLOSURE (1u << 22)
#define ACC_FAKE_CLOSURE (1u << 23)

struct frame {
	u64 function;
	u64 opline;
	u64 symbol;
	u32 line;
	u8 is_user;
	/* As in struct function_value. */
	u8 is_lasting;
	u16 source;
};

/* Where an op array was defined, as it is in a zend_function. */
struct definition {
	u64 file;
	u32 line;
	u32 last_line;
};

struct walk {
	u64 window[WINDOW / sizeof(u64)];
	/* Which addresses are in it. */
	u64 window_start, window_end;
	u8 function_block[FUNCTION_BLOCK];
	/* Of the worker whose stack it is. */
	struct compass_layout layout;
	u64 start_ns;
	u32 pid;
	u32 depth;
	u64 begun_ns;
	u64 at;
	u64 leaf;
	/* How many frames, from the root, are those of the walk before; and whether all were so far. */
	u32 known;
	u32 is_known;
	/* Where the third stage is: in which frame, at which node, and how often it has looked for the next one.
	 */
	u32 position;
	u32 node;
	u32 probes;
	/* Whether the worker has got a signal that ends it. */
	u32 is_signal;
	/* Whether a name could not be read: its page is not there yet. */
	u32 is_unread;
	/* Of the function that was read last, as in struct function_value. */
	u32 is_lasting;
	u64 name, scope, class_name;
	struct definition definition;
	u64 id, print, file_hash;
	u64 hash, length, tail[4];
	struct text_key text_key;
	struct symbol symbol;
	struct frame frames[COMPASS_STACK_DEPTH];
};

struct function_key {
	u64 function;
	u32 pid;
	u32 reserved;
};

/*
 * What is at an address may change at any time: an included file's code goes when it has run, a closure with
 * its object. print is made of the pointers that tell a function from any other that lives in the same
 * request. Those of another request may be the same for another file (each has a new heap, and opcache starts
 * anew), so that the first walk of a request that meets a function looks at the file's name, too.
 */
struct function_value {
	u64 start_ns;
	u64 print;
	u64 file_hash;
	u64 symbol;
	u16 is_user;
	u16 source;
	/* Whether nothing else can be at its address before the request has ended. */
	u32 is_lasting;
};

BPF_TABLE("lru_hash", struct function_key, struct function_value, functions, 65536);
BPF_TABLE("lru_hash", u64, struct symbol, symbols, 16384);
BPF_HASH(text_sources, struct text_key, u32, 512);
BPF_PERCPU_ARRAY(walks, struct walk, 1);

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

/* A word at an address that is in the window. */
static inline u64 window_at(struct walk *walk, u64 address)
{
	u64 index = (address - walk->window_start) / sizeof(u64);

	index &= WINDOW / sizeof(u64) - 1;
	asm volatile("" : "+r"(index));
	return walk->window[index];
}

/*
 * Have the frame at an address in the window, with as many as fit of those below it in memory: down to the
 * beginning of its page, as the page before may not be there. Returns whether it can be read.
 */
static inline int look_at(struct walk *walk, u64 frame)
{
	u64 end = frame + FRAME_BLOCK, start = frame & ~PAGE_MASK, size;

	if (frame >= walk->window_start && end <= walk->window_end)
		return 1;
	if (start + WINDOW < end)
		start = end - WINDOW;
	size = end - start;
	asm volatile("" : "+r"(size));
	if (size > WINDOW)
		return 0;
	walk->window_start = start;
	walk->window_end = end;
	return !bpf_probe_read_user(walk->window, size, (void *)start);
}

static inline u64 function_block_at(struct walk *walk, u64 offset)
{
	offset &= FUNCTION_BLOCK - sizeof(u64);
	asm volatile("" : "+r"(offset));
	return *(u64 *)&walk->function_block[offset];
}

static inline int fits(u64 offset, u64 block)
{
	return offset <= block - sizeof(u64) && offset % sizeof(u64) == 0;
}

/* Whether the walk can follow these offsets: what it reads in one go is together, in every PHP so far. */
static inline int is_walkable(const struct compass_layout *layout)
{
	return fits(layout->execute_data_func, FRAME_BLOCK) && fits(layout->execute_data_opline, FRAME_BLOCK) &&
	       fits(layout->execute_data_prev, FRAME_BLOCK) && fits(layout->function_type, FUNCTION_BLOCK) &&
	       fits(layout->function_name, FUNCTION_BLOCK) && fits(layout->function_scope, FUNCTION_BLOCK) &&
	       layout->op_array_line_start == layout->op_array_filename + sizeof(u64);
}

/*
 * Have the hash of a zend_string in walk->hash: its own, which PHP computes when it first needs it. Until
 * then the end of the text and its length stand for it: two texts must not be taken for each other, while one
 * text under two numbers does no harm. A null pointer makes the reads fail, and is a number like any other.
 */
static inline void hash_string(struct walk *walk, u64 string)
{
	walk->hash = walk->length = 0;
	if (bpf_probe_read_user(&walk->hash, sizeof(u64), (void *)(string + walk->layout.string_hash)) && string)
		walk->is_unread = 1;
	if (!walk->hash) {
		walk->tail[0] = walk->tail[1] = walk->tail[2] = walk->tail[3] = 0;
		bpf_probe_read_user(&walk->length, sizeof(u64), (void *)(string + walk->layout.string_length));
		if (walk->length > sizeof(walk->tail))
			string += walk->length - sizeof(walk->tail);
		bpf_probe_read_user(walk->tail, sizeof(walk->tail), (void *)(string + walk->layout.string_value));
		walk->hash = mix(mix(walk->length, walk->tail[0]), walk->tail[1]);
		walk->hash = mix(mix(walk->hash, walk->tail[2]), walk->tail[3]);
	}
}

/* Have a text that a symbol is made of in the symbol; a null pointer is none. */
static inline void read_string(struct walk *walk, char *text, u32 size, u64 string)
{
	text[0] = 0;
	if (string && bpf_probe_read_user_str(text, size, (void *)(string + walk->layout.string_value)) < 0)
		walk->is_unread = 1;
}

/*
 * Where the function whose names' hashes are in walk->text_key has what it waits for: TEXT_SOURCE, 0 if
 * nowhere.
 */
static inline u32 text_source(struct walk *walk)
{
	u32 *source = text_sources.lookup(&walk->text_key);

	if (!source && walk->text_key.class) {
		walk->text_key.function = 0;
		source = text_sources.lookup(&walk->text_key);
	}
	return source ? *source : 0;
}

/* Read the names of the function whose pointers are in walk, and keep them under the symbol that they make.
 */
static inline u64 name_function(struct walk *walk, struct frame *frame)
{
	struct symbol *symbol = &walk->symbol;

	walk->class_name = 0;
	if (bpf_probe_read_user(
	        &walk->class_name, sizeof(u64), (void *)(walk->scope + walk->layout.class_name)) &&
	    walk->scope)
		walk->is_unread = 1;
	walk->id = mix(mix(symbol->type, symbol->line), walk->file_hash);
	hash_string(walk, walk->name);
	walk->id = mix(walk->id, walk->hash);
	walk->text_key.function = walk->hash;
	hash_string(walk, walk->class_name);
	walk->id = mix(walk->id, walk->hash);
	walk->text_key.class = walk->scope ? walk->hash : 0;
	frame->source = frame->is_user ? 0 : text_source(walk);
	if (symbols.lookup(&walk->id))
		return walk->id;
	read_string(walk, symbol->function, sizeof(symbol->function), walk->name);
	read_string(walk, symbol->class, sizeof(symbol->class), walk->class_name);
	read_string(walk, symbol->file, sizeof(symbol->file), walk->definition.file);
	/* Another worker may have the pages. */
	if (!walk->is_unread)
		symbols.update(&walk->id, symbol);
	return walk->id;
}

/* Read what a zend_function says of itself: into walk->symbol the numbers, the pointers into walk. */
static inline void read_function(struct walk *walk, u64 function)
{
	struct definition *definition = &walk->definition;
	u32 flags;
	int is_user;

	bpf_probe_read_user(walk->function_block, FUNCTION_BLOCK, (void *)function);
	/* It is one byte; the flags are in the other half of the word. */
	walk->symbol.type = (u8)function_block_at(walk, walk->layout.function_type);
	flags = function_block_at(walk, walk->layout.function_type) >> 32;
	walk->name = function_block_at(walk, walk->layout.function_name);
	walk->scope = function_block_at(walk, walk->layout.function_scope);
	/* ZEND_USER_FUNCTION is 2, ZEND_EVAL_CODE 4, ZEND_INTERNAL_FUNCTION 1: an odd type has no op array. */
	is_user = !(walk->symbol.type & 1);
	/* Code without a name is that of a file or of eval(), of which opcache gives every run a copy. */
	walk->is_lasting = walk->name && (!is_user || flags & ACC_IMMUTABLE) &&
	                   !(flags & (ACC_CALL_VIA_TRAMPOLINE | ACC_CLOSURE | ACC_FAKE_CLOSURE));
	definition->file = definition->line = 0;
	if (is_user)
		bpf_probe_read_user(
		    definition, sizeof(*definition), (void *)(function + walk->layout.op_array_filename));
	walk->symbol.line = definition->line;
	walk->print = mix(mix(walk->symbol.type, walk->symbol.line), walk->name);
	walk->print = mix(mix(walk->print, walk->scope), definition->file);
}

/* Find out which function a frame is in. */
static inline void identify(struct walk *walk, struct frame *frame)
{
	struct function_key key = {.function = frame->function, .pid = walk->pid};
	struct function_value *known = functions.lookup(&key);
	struct function_value value = {};

	if (known && known->is_lasting && known->start_ns == walk->start_ns)
		goto found;
	read_function(walk, frame->function);
	if (known && known->print == walk->print && known->start_ns == walk->start_ns)
		goto found;
	walk->is_unread = 0;
	hash_string(walk, walk->definition.file);
	walk->file_hash = walk->hash;
	/*
	 * To look the symbol up keeps it: those that nobody looks up make room for others. In one request of 16
	 * or so is often enough.
	 */
	if (known && known->print == walk->print && known->file_hash == walk->file_hash &&
	    (walk->start_ns >> 10 & 15 || symbols.lookup(&known->symbol))) {
		known->start_ns = walk->start_ns;
		goto found;
	}
	frame->is_user = !(walk->symbol.type & 1);
	/* PHP begins a fiber with a function of its own that has no name: no place to tell of. */
	frame->symbol = frame->is_user || walk->name ? name_function(walk, frame) : 0;
	value.start_ns = walk->start_ns;
	/* What could not be read is tried again. */
	value.print = walk->is_unread ? 0 : walk->print;
	value.file_hash = walk->file_hash;
	value.is_lasting = walk->is_lasting && !walk->is_unread;
	value.symbol = frame->symbol;
	value.is_user = frame->is_user;
	value.source = frame->source;
	frame->is_lasting = value.is_lasting;
	functions.update(&key, &value);
	return;
found:
	frame->is_lasting = known->is_lasting;
	frame->symbol = known->symbol;
	frame->is_user = known->is_user;
	frame->source = known->source;
}

/* Collect the frames of the current process' PHP stack, from the leaf. */
static inline void collect_frames(struct walk *walk, struct tree_record *tree)
{
	u32 i;

	walk->at = 0;
	walk->depth = 0;
	walk->window_start = walk->window_end = 0;
	bpf_probe_read_user(&walk->at, sizeof(walk->at), (void *)walk->layout.current_execute_data);
	walk->leaf = walk->at;
#pragma nounroll
	for (i = 0; i < COMPASS_STACK_DEPTH; i++) {
		struct frame *frame = frame_at(walk, i);

		if (!walk->at)
			break;
		if (!look_at(walk, walk->at))
			break;
		frame->function = window_at(walk, walk->at + walk->layout.execute_data_func);
		frame->opline = window_at(walk, walk->at + walk->layout.execute_data_opline);
		walk->at = window_at(walk, walk->at + walk->layout.execute_data_prev);
		walk->depth = i + 1;
	}
	if (walk->at)
		tree->cut++;
}

static inline struct walk *this_walk(void)
{
	int zero = 0;

	return walks.lookup(&zero);
}
