/* SPDX-License-Identifier: MIT */
/* The function probes, fed by PHP's Observer API. */
#ifndef COMPASS_OBSERVER_H
#define COMPASS_OBSERVER_H

#include <stdbool.h>

/* From MINIT, the only time PHP accepts observers. Registers nothing unless compass.function_probes is on. */
void compass_observer_startup(void);

/* From RSHUTDOWN and MSHUTDOWN. */
void compass_observer_end_request(void);
void compass_observer_shutdown(void);

/* Whether function probes can fire in this process. */
bool compass_observer_is_on(void);

#endif /* COMPASS_OBSERVER_H */
