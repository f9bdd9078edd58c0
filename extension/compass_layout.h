/* SPDX-License-Identifier: MIT */
/* Where the eBPF program finds PHP's call stack in this process. */
#ifndef COMPASS_LAYOUT_H
#define COMPASS_LAYOUT_H

#include <stdint.h>

#include "compass_abi.h"

void compass_layout_fill(struct compass_layout *layout);

#endif /* COMPASS_LAYOUT_H */
