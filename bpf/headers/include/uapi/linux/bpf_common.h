/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* bcc's copy of linux/bpf.h includes it for the instruction classes of classic BPF, which are not used. */
