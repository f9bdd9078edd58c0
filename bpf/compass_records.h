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

/* In ring buffer request_shutdown: a request over the smallest budget of any rule. */
struct request_record {
	uint32_t pid;
	/* Function calls of this request that found no room in ring buffer function_end. */
	uint32_t functions_lost;
	/* 1 if the probes were attached when it began, else 0. */
	uint32_t start_seen;
	uint32_t reserved;
	struct compass_request request;
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
 * Written by the daemon. A request is told when it exceeds at least one of the first three; the greatest
 * value of the type stands for "no rule limits it".
 */
struct settings {
	uint64_t duration_ns;
	uint64_t cpu_ns;
	uint64_t memory; /* bytes */
	uint64_t function_ns;
};

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
	COUNTERS
};

/* Slots of the map durations: slot n counts requests of 2^n <= us < 2^(n+1); slot 0 also those below 1 us. */
#define COMPASS_DURATION_SLOTS 40

#endif /* COMPASS_RECORDS_H */
