/* SPDX-License-Identifier: MIT */
/*
 * The function calls in progress: when each began, and how deep it is.
 *
 * A table by the address of the call's frame rather than a stack. Generators finish in any order or never,
 * fibers interleave, and a fatal error leaves frames without an end; none of this concerns a table, where
 * what was left behind is replaced when its address is used again.
 */
#ifndef COMPASS_CALLS_H
#define COMPASS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

/* How many calls can be in progress; what is deeper goes unreported. */
#define COMPASS_CALLS_MAX 65536

struct compass_calls_entry {
	const void *frame; /* the call's zend_execute_data; NULL in an unused entry */
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint32_t depth;
};

/*
 * Adds a call and returns its entry, for the caller to write its start into; NULL if there is no room. The
 * entry is valid until the next call of any function here.
 */
struct compass_calls_entry *compass_calls_add(const void *frame, uint32_t depth);

/* NULL if the frame is not known. As short-lived as the above. */
const struct compass_calls_entry *compass_calls_find(const void *frame);

/* Removes a call and copies its entry. Returns false if the frame is not known. */
bool compass_calls_take(const void *frame, struct compass_calls_entry *entry);

/* Forgets every call, and gives back the memory if there was much of it. */
void compass_calls_clear(void);

/* Gives back all memory. */
void compass_calls_free(void);

#endif /* COMPASS_CALLS_H */
