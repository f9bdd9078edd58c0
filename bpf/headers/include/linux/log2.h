/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* bcc includes it and has its own bpf_log2l(). */
