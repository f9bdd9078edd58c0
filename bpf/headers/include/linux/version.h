/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A fixed version: the program checks no kernel version, and kernels since 5.0 ignore the one that a program
 * claims to be built for. It must only be new enough for bcc's headers to declare every helper.
 */
#ifndef COMPASS_LINUX_VERSION_H
#define COMPASS_LINUX_VERSION_H

#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 15, 0)

#endif
