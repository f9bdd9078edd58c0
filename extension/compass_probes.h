/* SPDX-License-Identifier: MIT */
/*
 * The four USDT probes. compass_abi.h documents their arguments.
 *
 * Test COMPASS_PROBE_ARMED before collecting anything for a probe: the semaphore is what makes a probe
 * free while nobody is attached.
 */
#ifndef COMPASS_PROBES_H
#define COMPASS_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "compass_abi.h"

/*
 * How many tracers are attached to each probe. The kernel adds and subtracts them in this very memory,
 * from outside the program, hence volatile.
 */
#define COMPASS_SEMAPHORE(probe) compass_##probe##_semaphore
extern volatile unsigned short COMPASS_SEMAPHORE(fpm_request_init);
extern volatile unsigned short COMPASS_SEMAPHORE(fpm_request_shutdown);
extern volatile unsigned short COMPASS_SEMAPHORE(php_function_begin);
extern volatile unsigned short COMPASS_SEMAPHORE(php_function_end);

#ifdef COMPASS_ALWAYS_ARMED
#define COMPASS_PROBE_ARMED(probe) true
#else
#define COMPASS_PROBE_ARMED(probe) UNEXPECTED(COMPASS_SEMAPHORE(probe) != 0)
#endif

void compass_probes_request_init(
    const char *id, const char *uri, const char *method, const struct compass_request *request);

void compass_probes_request_shutdown(const char *id, const char *uri, const char *method,
    const struct compass_request *request, uint64_t duration_ns, int64_t status);

void compass_probes_function_begin(
    const char *id, const char *function, const char *class_name, uint64_t depth);

void compass_probes_function_end(const char *id, const char *function, const char *class_name,
    uint64_t elapsed_ns, const struct compass_call *call);

#endif /* COMPASS_PROBES_H */
