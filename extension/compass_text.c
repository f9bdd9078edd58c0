/* SPDX-License-Identifier: MIT */
/* Copying text of any length into fields of fixed size. */
#include "compass_text.h"

#include <stdbool.h>
#include <string.h>

size_t compass_text_copy(char *field, size_t size, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	size_t kept = length < size ? length : size - 1;

	memcpy(field, text ? text : "", kept);
	field[kept] = '\0';
	return length;
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t compass_text_fit(size_t size, const char *text, size_t length)
{
	size_t kept = size - 1;

	if (length <= kept) {
		return length;
	}
	/* A sequence has at most three continuation bytes; with more, this is not UTF-8 and may be cut anywhere.
	 */
	for (size_t back = 0; back <= 3 && back < kept; back++) {
		if (!is_continuation(text[kept - back])) {
			return kept - back;
		}
	}
	return kept;
}
