/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* bcc includes it for networking programs. */
