/* SPDX-License-Identifier: MIT */
#ifndef COMPASS_NAMES_H
#define COMPASS_NAMES_H

/* Have the names of all functions that there are in this process's memory. The first call in a process does
 * it. */
void compass_names_bring_in(void);

#endif
