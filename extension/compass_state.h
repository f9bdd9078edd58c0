/* SPDX-License-Identifier: MIT */
/* The word that tells `compassd doctor` whether Compass is active in this process. See compass_abi.h. */
#ifndef COMPASS_STATE_H
#define COMPASS_STATE_H

/* From MINIT, and whenever a setting changes: FPM applies a pool's settings in the worker. */
void compass_state_update(void);

#endif /* COMPASS_STATE_H */
