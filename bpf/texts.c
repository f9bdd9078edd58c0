/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a worker waits for: the SQL of the query, the path of the file. Part of compass.c.
 *
 * When a worker leaves the processor in a function that the daemon has named in text_sources, its text is
 * read and stays pending. When the worker comes back, it is known how long the wait was: the text of the
 * longest wait at a place is kept, and it takes the slot of another place that has waited less.
 */

/* Of a zval, in PHP 8. */
#define PHP_STRING 6
#define PHP_OBJECT 8
#define PHP_RESOURCE 9

struct worker_texts {
	struct text_record pending;
	struct text_record slots[COMPASS_TEXTS];
};

/* Allocated when a worker first waits for something that has a text, and kept until it dies. */
BPF_F_TABLE("hash", u32, struct worker_texts, texts, COMPASS_PROCESSES, BPF_F_NO_PREALLOC);
BPF_ARRAY(empty_texts, struct worker_texts, 1);

static inline struct text_record *slot_at(struct worker_texts *all, u64 index)
{
	index &= COMPASS_TEXTS - 1;
	asm volatile("" : "+r"(index));
	return &all->slots[index];
}

/* Read the zval at an address: return the pointer that it holds if it is of that type, else 0. */
static inline u64 zval_pointer(const struct compass_layout *layout, u64 zval, u8 type)
{
	u64 pointer = 0;
	u8 actual = 0;

	bpf_probe_read_user(&actual, sizeof(actual), (void *)(zval + layout->zval_type));
	if (actual == type)
		bpf_probe_read_user(&pointer, sizeof(pointer), (void *)zval);
	return pointer;
}

/* The address of argument n of the call at leaf. */
static inline u64 argument_at(const struct compass_layout *layout, u64 leaf, u32 n)
{
	return leaf + layout->execute_data_size + (u64)layout->zval_size * (n - 1);
}

/* Argument n of the call at leaf, or the one behind a connection; 0 if it is no string. */
static inline u64 argument_string(const struct compass_layout *layout, u64 leaf, u32 n)
{
	u64 zval = argument_at(layout, leaf, n);
	u32 given = 0;
	u8 type = 0;

	/* What is behind the last argument is whatever was there before. */
	bpf_probe_read_user(
	    &given, sizeof(given), (void *)(leaf + layout->execute_data_this + layout->zval_extra));
	if (n > given)
		return 0;
	bpf_probe_read_user(&type, sizeof(type), (void *)(zval + layout->zval_type));
	if ((type == PHP_OBJECT || type == PHP_RESOURCE) && n < given)
		zval += layout->zval_size;
	return zval_pointer(layout, zval, PHP_STRING);
}

/* The path of the stream that is argument n of the call at leaf, a C string; 0 if there is none. */
static inline u64 stream_path(const struct compass_layout *layout, u64 leaf, u32 n)
{
	u64 resource = zval_pointer(layout, argument_at(layout, leaf, n), PHP_RESOURCE);
	u64 stream = 0, path = 0;

	if (!resource)
		return 0;
	bpf_probe_read_user(&stream, sizeof(stream), (void *)(resource + layout->resource_pointer));
	if (stream)
		bpf_probe_read_user(&path, sizeof(path), (void *)(stream + layout->stream_path));
	return path;
}

/* The property in slot n of the object of the call at leaf, a string; 0 if it is none. */
static inline u64 property_string(const struct compass_layout *layout, u64 leaf, u32 n)
{
	u64 object = 0;

	bpf_probe_read_user(&object, sizeof(object), (void *)(leaf + layout->execute_data_this));
	if (!object)
		return 0;
	return zval_pointer(layout, object + layout->object_properties + (u64)layout->zval_size * n, PHP_STRING);
}

/* Make the text of the call at leaf pending. Returns whether there is one. */
static inline int read_pending(
    const struct compass_layout *layout, struct text_record *pending, u64 leaf, u32 source)
{
	u32 kind = source >> 8, n = source & 0xff;
	u64 string = 0, length = 0;
	long copied;

	if (kind == TEXT_STREAM) {
		string = stream_path(layout, leaf, n);
		if (!string)
			return 0;
		copied = bpf_probe_read_user_str(pending->text, sizeof(pending->text), (void *)string);
		/* The NUL is counted, and is also there if the text was cut. */
		pending->length = copied == sizeof(pending->text) ? copied : copied - 1;
		return copied > 1;
	}
	if (kind == TEXT_ARGUMENT)
		string = argument_string(layout, leaf, n);
	else if (kind == TEXT_PROPERTY)
		string = property_string(layout, leaf, n);
	if (!string)
		return 0;
	bpf_probe_read_user(&length, sizeof(length), (void *)(string + layout->string_length));
	pending->length = length > 0xffffffff ? 0xffffffff : length;
	if (length > sizeof(pending->text))
		length = sizeof(pending->text);
	asm volatile("" : "+r"(length));
	if (length == 0 || length > sizeof(pending->text))
		return 0;
	return !bpf_probe_read_user(pending->text, length, (void *)(string + layout->string_value));
}

/*
 * The current process waits, and its stack was just walked to node: read what for. Returns whether it is
 * known.
 */
static inline u32 texts_read(struct walk *walk, u32 node)
{
	u32 source = frame_at(walk, 0)->source, pid = walk->pid;
	struct worker_texts *all, *empty;
	int zero = 0;

	if (!source || !walk->depth)
		return 0;
	empty = empty_texts.lookup(&zero);
	if (!empty)
		return 0;
	all = texts.lookup_or_try_init(&pid, empty);
	if (!all)
		return 0;
	all->pending.kind = RECORD_TEXT;
	all->pending.pid = pid;
	all->pending.start_ns = walk->start_ns;
	all->pending.node = node;
	all->pending.longest_ns = 0;
	return read_pending(&walk->layout, &all->pending, walk->leaf, source);
}

/* The wait with the pending text is over: keep it, if it was the longest at its place, or takes another's
 * slot. */
static inline void texts_keep(struct tree_record *tree, struct tree_node *node, u64 away_ns)
{
	struct worker_texts *all;
	struct text_record *slot;
	u32 pid = tree->pid;

	all = texts.lookup(&pid);
	if (!all || all->pending.start_ns != tree->start_ns)
		return;
	slot = slot_at(all, all->pending.node);
	if (slot->start_ns == tree->start_ns) {
		if (slot->node == all->pending.node && slot->longest_ns >= away_ns)
			return;
		if (slot->node != all->pending.node && node_at(tree, slot->node)->off_ns >= node->off_ns)
			return;
	}
	all->pending.longest_ns = away_ns;
	bpf_probe_read_kernel(slot, sizeof(*slot), &all->pending);
}

/* Send the texts of the current process' request to user space. */
static inline void texts_ship(u32 pid, u64 start_ns)
{
	struct worker_texts *all = texts.lookup(&pid);
	u64 size;
	u32 i;

	if (!all)
		return;
#pragma nounroll
	for (i = 0; i < COMPASS_TEXTS; i++) {
		struct text_record *slot = slot_at(all, i);

		if (slot->start_ns != start_ns)
			continue;
		size = slot->length;
		if (size > COMPASS_TEXT_SIZE)
			size = COMPASS_TEXT_SIZE;
		asm volatile("" : "+r"(size));
		if (size > COMPASS_TEXT_SIZE)
			continue;
		/* Without its text a place is still told. */
		request_shutdown.ringbuf_output(slot, sizeof(*slot) - COMPASS_TEXT_SIZE + size, 0);
	}
}
