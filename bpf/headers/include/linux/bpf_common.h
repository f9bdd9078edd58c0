/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* bcc's copy of the BPF interface defines what this would. */
#include <uapi/linux/bpf_common.h>
