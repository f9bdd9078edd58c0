/* SPDX-License-Identifier: MIT */
/* What compassd reads from outside: the ABI of this build, and whether it is active. See compass_abi.h. */
#ifndef COMPASS_STATE_H
#define COMPASS_STATE_H

/* From MINIT, and whenever a setting changes: FPM applies a pool's settings in the worker. */
void compass_state_update(void);

#endif /* COMPASS_STATE_H */
