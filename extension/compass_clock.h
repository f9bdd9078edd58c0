/* SPDX-License-Identifier: MIT */
/* Clocks as a single number of nanoseconds. */
#ifndef COMPASS_CLOCK_H
#define COMPASS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t compass_clock_ns(clockid_t clock)
{
	struct timespec now;

	/* Cannot fail: the clocks used here exist on every Linux. */
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif /* COMPASS_CLOCK_H */
