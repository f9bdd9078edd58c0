/* SPDX-License-Identifier: MIT */
/* What a request is called: its id, and the FPM pool that serves it. */
#ifndef COMPASS_IDENTITY_H
#define COMPASS_IDENTITY_H

#include <stdint.h>

#include "compass_abi.h"

/*
 * Writes the request's id: the X-Request-ID header, else the trace id of a valid W3C traceparent header,
 * else one made of host name, process and start. The headers may be NULL; start_ns is CLOCK_MONOTONIC.
 */
void compass_identity_request_id(
    char id[COMPASS_ID_SIZE], const char *x_request_id, const char *traceparent, uint64_t start_ns);

/* Writes the name of the pool this process works for, "" outside an FPM worker. */
void compass_identity_pool(char pool[COMPASS_POOL_SIZE]);

#endif /* COMPASS_IDENTITY_H */
