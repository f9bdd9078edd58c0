/* SPDX-License-Identifier: MIT */
/* The request this process is serving: its facts, and the two request probes. */
#ifndef COMPASS_REQUEST_H
#define COMPASS_REQUEST_H

#include <stdint.h>

#include "compass_abi.h"

/* From RINIT and RSHUTDOWN. Ending a request that never began does nothing. */
void compass_request_begin(void);
void compass_request_end(void);

/*
 * The running request, NULL between requests and where Compass is not active. Only what userland sets
 * (transaction, tags) and the start is certain to be filled.
 */
struct compass_request *compass_request_current(void);

/* The running request's id, NULL if there is no request. Collects the request's facts if nobody has yet. */
const char *compass_request_id(void);

#endif /* COMPASS_REQUEST_H */
