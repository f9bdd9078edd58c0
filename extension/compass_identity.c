/* SPDX-License-Identifier: MIT */
/* What a request is called: its id, and the FPM pool that serves it. */
#include "compass_identity.h"

#include <errno.h> /* program_invocation_name */
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compass_clock.h"
#include "compass_text.h"

/* Positions in "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01". */
#define TRACE_ID_AT 3
#define TRACE_ID_LENGTH 32
#define PARENT_ID_AT (TRACE_ID_AT + TRACE_ID_LENGTH + 1)
#define PARENT_ID_LENGTH 16
#define FLAGS_AT (PARENT_ID_AT + PARENT_ID_LENGTH + 1)
#define TRACEPARENT_LENGTH (FLAGS_AT + 2)

#define LOWERCASE_HEX "0123456789abcdef"

static bool is_hex(const char *text, size_t length)
{
	return strspn(text, LOWERCASE_HEX) >= length;
}

static bool is_nonzero_hex(const char *text, size_t length)
{
	return is_hex(text, length) && strspn(text, "0") < length;
}

/* https://www.w3.org/TR/trace-context/#traceparent-header */
static bool is_valid_traceparent(const char *header)
{
	size_t length = strlen(header);

	if (length < TRACEPARENT_LENGTH || !is_hex(header, 2) || strncmp(header, "ff", 2) == 0) {
		return false;
	}
	/* Version 00 ends here; a later one may go on after another dash. */
	if (length > TRACEPARENT_LENGTH && (strncmp(header, "00", 2) == 0 || header[TRACEPARENT_LENGTH] != '-')) {
		return false;
	}
	return header[TRACE_ID_AT - 1] == '-' && is_nonzero_hex(header + TRACE_ID_AT, TRACE_ID_LENGTH) &&
	       header[PARENT_ID_AT - 1] == '-' && is_nonzero_hex(header + PARENT_ID_AT, PARENT_ID_LENGTH) &&
	       header[FLAGS_AT - 1] == '-' && is_hex(header + FLAGS_AT, 2);
}

/* The wall clock, because the monotonic one begins anew with every boot and process ids come back. */
static void make_id(char id[COMPASS_ID_SIZE], uint64_t start_ns)
{
	char host[HOST_NAME_MAX + 1] = "";
	uint64_t since_start_ns = compass_clock_ns(CLOCK_MONOTONIC) - start_ns;
	uint64_t started_at_ns = compass_clock_ns(CLOCK_REALTIME) - since_start_ns;

	/* On failure host stays "", and the rest still identifies the request on its machine. */
	(void)gethostname(host, sizeof(host) - 1);
	snprintf(id, COMPASS_ID_SIZE, "%s-%d-%" PRIx64, host, (int)getpid(), started_at_ns);
}

void compass_identity_request_id(
    char id[COMPASS_ID_SIZE], const char *x_request_id, const char *traceparent, uint64_t start_ns)
{
	if (x_request_id && x_request_id[0] != '\0') {
		compass_text_copy(id, COMPASS_ID_SIZE, x_request_id);
	} else if (traceparent && is_valid_traceparent(traceparent)) {
		memcpy(id, traceparent + TRACE_ID_AT, TRACE_ID_LENGTH);
		id[TRACE_ID_LENGTH] = '\0';
	} else {
		make_id(id, start_ns);
	}
}

/*
 * An FPM worker overwrites argv[0] with "php-fpm: pool NAME" after the fork, and glibc keeps a pointer to
 * argv[0]. That is the text of /proc/self/cmdline without a system call, and a pool in a chroot has no
 * /proc to ask.
 */
void compass_identity_pool(char pool[COMPASS_POOL_SIZE])
{
	static const char title[] = "php-fpm: pool ";
	const char *name = "";

	if (strncmp(program_invocation_name, title, sizeof(title) - 1) == 0) {
		name = program_invocation_name + sizeof(title) - 1;
	}
	compass_text_copy(pool, COMPASS_POOL_SIZE, name);
}
