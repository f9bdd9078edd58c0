/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* bcc sizes its perf buffers in pages. */
#ifndef COMPASS_ASM_PAGE_H
#define COMPASS_ASM_PAGE_H

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)

#endif
