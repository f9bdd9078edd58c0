/* SPDX-License-Identifier: MIT */
/* The state in a section of its own. Nobody in this process reads it: compassd does, from outside. */
#include "compass_state.h"

#include "php_compass.h"

#include "compass_abi.h"
#include "compass_observer.h"

static volatile struct compass_state state __attribute__((section(".compass.state"), used)) = {
    .version = COMPASS_ABI_VERSION,
    .request_size = sizeof(struct compass_request),
};

void compass_state_update(void)
{
	state.flags = (compass_is_active() ? COMPASS_STATE_ACTIVE : 0) |
	              (compass_observer_is_on() ? COMPASS_STATE_FUNCTION_PROBES : 0);
}
