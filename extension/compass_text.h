/* SPDX-License-Identifier: MIT */
/* Copying text of any length into fields of fixed size. */
#ifndef COMPASS_TEXT_H
#define COMPASS_TEXT_H

#include <stddef.h>

/*
 * Copies a C string into a field, NUL-terminated, cut to fit; NULL counts as "". Returns the length of text
 * before any cut.
 */
size_t compass_text_copy(char *field, size_t size, const char *text);

/* How many bytes of text fit into a field of the given size without splitting a UTF-8 sequence. */
size_t compass_text_fit(size_t size, const char *text, size_t length);

#endif /* COMPASS_TEXT_H */
