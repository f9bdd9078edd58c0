/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The registers a uprobe sees; the order is the kernel's calling interface and never changes. */
#ifndef COMPASS_UAPI_LINUX_PTRACE_H
#define COMPASS_UAPI_LINUX_PTRACE_H

#if !defined(__x86_64__)
#error "Compass knows the registers of x86-64 only"
#endif

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

#endif
