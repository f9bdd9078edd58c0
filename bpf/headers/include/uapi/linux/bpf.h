/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* bcc carries the whole interface of the system call itself and includes it before this file. */
