/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The kernel's configuration, as far as bcc's own headers ask for it. bcc includes this file first. */
#ifndef COMPASS_LINUX_KCONFIG_H
#define COMPASS_LINUX_KCONFIG_H

#define CONFIG_BPF_SYSCALL 1
#define CONFIG_64BIT 1

#include <linux/types.h>

#endif
