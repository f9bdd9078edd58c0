/* SPDX-License-Identifier: MIT */
/* The word of state in a section of its own. Nobody in this process reads it: the doctor does, from outside.
 */
#include "compass_state.h"

#include "php_compass.h"

#include "compass_abi.h"
#include "compass_observer.h"

static volatile uint32_t state __attribute__((section(".compass.state"), used)) = 0;

void compass_state_update(void)
{
	state = (compass_is_active() ? COMPASS_STATE_ACTIVE : 0) |
	        (compass_observer_is_on() ? COMPASS_STATE_FUNCTION_PROBES : 0);
}
