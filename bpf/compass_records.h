/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the eBPF program and the daemon agree on: the records of the ring buffers, the settings the daemon
 * writes, and the counters it reads. compassd/kernel/layout.py has the same in Python; a test compiles this
 * file and compares.
 */
#ifndef COMPASS_RECORDS_H
#define COMPASS_RECORDS_H

#include "compass_abi.h"

/* Sizes in bytes, including the terminating NUL; longer text is cut. */
#define COMPASS_FUNCTION_SIZE 128
#define COMPASS_CLASS_SIZE 128
#define COMPASS_FILE_SIZE 192

/* Ring buffer request_shutdown holds records of several kinds, and says which in their first word. */
#define RECORD_REQUEST 1u
#define RECORD_TREE 2u
#define RECORD_TEXT 3u
#define RECORD_DIED 4u

/* A request over the smallest budget of any rule, or one whose worker died in it. */
struct request_record {
	uint32_t kind; /* RECORD_REQUEST or RECORD_DIED */
	uint32_t pid;
	/* Function calls of this request that found no room in ring buffer function_end. */
	uint32_t functions_lost;
	/* 1 if the probes were attached when it began, else 0. */
	uint32_t start_seen;
	/* The signal that ended the worker; 0 if it ended by itself. */
	uint32_t signal;
	uint32_t reserved;
	/* Of a request whose worker died: what was known at its start, and the duration. */
	struct compass_request request;
};

/*
 * The call tree of a request. A node is a place in the code, reached by the path of nodes above it; times and
 * waits are its own, without those of its children.
 */
struct tree_node {
	/* Key of the map symbols; 0 for node 0, which stands for what found no room. */
	uint64_t symbol;
	uint64_t off_ns; /* off the processor, ns */
	uint32_t line;   /* where the function was: the line of its call to the next frame */
	uint32_t ticks;  /* of the sampler's clock, on the processor */
	uint32_t waits;  /* how often it left the processor of its own accord */
	uint32_t parent; /* COMPASS_NO_PARENT for a root; otherwise less than the node's own index */
};

#define COMPASS_NO_PARENT 0xffffffffu
/* Powers of two, as the verifier is satisfied by masks. */
#define COMPASS_TREE_NODES 512
#define COMPASS_STACK_DEPTH 128

/* Sent before the request_record of the same process, cut behind the last node in use. */
struct tree_record {
	uint32_t kind; /* RECORD_TREE */
	uint32_t pid;
	uint64_t start_ns; /* with pid the key of the request */
	uint64_t walk_ns;  /* what walking its stacks took, ns */
	uint32_t walks;
	uint32_t cut;   /* stacks deeper than COMPASS_STACK_DEPTH: cut at the root */
	uint32_t count; /* nodes in use, node 0 included */
	uint32_t waits; /* of all nodes together */
	uint32_t last;  /* the node of the last stack walked; 0 if there was none */
	uint32_t reserved;
	struct tree_node nodes[COMPASS_TREE_NODES];
};

/* Where a worker is while it is off the processor: behind its tree in the value of the map workers. */
struct absence {
	uint64_t since_ns; /* CLOCK_MONOTONIC, ns; 0 if it is on the processor */
	uint32_t node;     /* index in tree_record.nodes */
	uint32_t is_wait;  /* 1 if it left of its own accord */
	uint32_t has_text; /* 1 if it is known what it waits for */
	uint32_t reserved;
};

/* Bytes of what a function waited for, such as an SQL statement; what is longer is cut. */
#define COMPASS_TEXT_SIZE 952
/* Places of a request whose text is kept, a power of two: those that waited longest. */
#define COMPASS_TEXTS 32

/*
 * What a function waited for at one node of the tree, in its longest wait. Sent between the tree_record and
 * the request_record of the same process, cut behind the text. 33 of them and a map's element of the kernel
 * fit into 32 KiB.
 */
struct text_record {
	uint32_t kind; /* RECORD_TEXT */
	uint32_t pid;
	uint64_t start_ns;   /* with pid the key of the request */
	uint64_t longest_ns; /* the wait, ns */
	uint32_t node;       /* index in tree_record.nodes */
	uint32_t length;     /* of the whole text, bytes */
	char text[COMPASS_TEXT_SIZE];
};

/*
 * Where a function has its text. The daemon writes the map text_sources: key are PHP's own hashes of the
 * names, 0 for "no class", and for "any function of this class".
 */
struct text_key {
	uint64_t class;
	uint64_t function;
};

/* In its argument n (the first is 1), or in the one behind that if n is a connection. */
#define TEXT_ARGUMENT 1u
/* In the declared property n of its object (the first is 0). */
#define TEXT_PROPERTY 2u
/* In the path or URL of the stream that is its argument n. */
#define TEXT_STREAM 3u

#define TEXT_SOURCE(kind, n) ((kind) << 8 | (n))

/* Value of the map symbols: what a function is called. */
struct symbol {
	uint32_t type; /* of a zend_function: 1 internal, 2 user, 4 eval() */
	uint32_t line; /* first line of the definition */
	char function[COMPASS_FUNCTION_SIZE];
	char class[COMPASS_CLASS_SIZE];
	char file[COMPASS_FILE_SIZE];
};

/* In ring buffer function_end: one finished call that took at least settings.function_ns. */
struct function_record {
	uint32_t pid;
	uint32_t line;
	uint64_t request_start_ns; /* with pid the key of its request */
	uint64_t start_ns;         /* CLOCK_MONOTONIC, ns */
	uint64_t elapsed_ns;
	uint32_t depth;
	uint32_t reserved;
	char function[COMPASS_FUNCTION_SIZE];
	char class[COMPASS_CLASS_SIZE];
	char file[COMPASS_FILE_SIZE];
};

/*
 * Written by the daemon. A request is told when it exceeds at least one of the first four; COMPASS_UNLIMITED
 * stands for "no rule limits it".
 */
struct settings {
	uint64_t duration_ns;
	uint64_t cpu_ns;
	uint64_t memory; /* bytes */
	uint64_t waits;  /* of its call tree; without one it exceeds none */
	uint64_t function_ns;
	uint64_t sampling; /* 1: keep a call tree for every request */
};

#define COMPASS_UNLIMITED 0xffffffffffffffffull

/* Indices of the map counters, one 64-bit number per CPU. */
enum counter {
	/* Requests whose start, and whose end, was seen. */
	COUNTER_STARTED,
	COUNTER_FINISHED,
	/* Over the smallest budget: sent to user space, or lost because the ring buffer was full. */
	COUNTER_SHIPPED,
	COUNTER_LOST,
	/* Ended without their start having been seen: the probes were attached in between. */
	COUNTER_LATE,
	/* Began, and then their process ended. */
	COUNTER_DIED,
	/* The extension speaks another version of the ABI. */
	COUNTER_FOREIGN,
	/* The request's struct could not be read. */
	COUNTER_UNREADABLE,
	/* The in-flight table was full. */
	COUNTER_UNTRACKED,
	/* Function calls sent to user space, and lost because the ring buffer was full. */
	COUNTER_FUNCTIONS_SHIPPED,
	COUNTER_FUNCTIONS_LOST,
	/* Stacks walked by the sampler, and the time that took, ns. */
	COUNTER_WALKS,
	COUNTER_WALK_NS,
	/* Call trees that found no room in the ring buffer, and requests that got none for want of memory. */
	COUNTER_TREES_LOST,
	COUNTER_TREELESS,
	COUNTERS
};

/* Slots of the map durations: slot n counts requests of 2^n <= us < 2^(n+1); slot 0 also those below 1 us. */
#define COMPASS_DURATION_SLOTS 40

#endif /* COMPASS_RECORDS_H */
