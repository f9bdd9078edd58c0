/* SPDX-License-Identifier: MIT */
/*
 * The function calls in progress: an open-addressing hash table with linear probing, at most half full.
 *
 * Its memory comes from malloc(): a request that has used up its memory_limit must neither fail for
 * Compass's sake nor be bailed out of in the middle of an update.
 */
#include "compass_calls.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_BITS 8
/* A table of up to 4,096 entries (96 KiB) is kept from request to request. */
#define KEPT_BITS 12

static struct {
	struct compass_calls_entry *entries; /* NULL before the first call is added */
	uint32_t count;
	unsigned int bits; /* there are 2^bits entries */
} table;

static size_t table_mask(void)
{
	return ((size_t)1 << table.bits) - 1;
}

/* Fibonacci hashing: frames lie some hundred bytes apart, and the multiplication spreads them. */
static size_t home_of(const void *frame)
{
	return (size_t)(((uint64_t)(uintptr_t)frame * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - table.bits));
}

/* Where the frame is, or else the unused entry where it would be. */
static size_t place_of(const void *frame)
{
	size_t place = home_of(frame);

	while (table.entries[place].frame && table.entries[place].frame != frame) {
		place = (place + 1) & table_mask();
	}
	return place;
}

static bool resize(unsigned int bits)
{
	struct compass_calls_entry *old = table.entries;
	size_t old_size = old ? table_mask() + 1 : 0;
	struct compass_calls_entry *entries = calloc((size_t)1 << bits, sizeof(*entries));

	if (!entries) {
		return false;
	}
	table.entries = entries;
	table.bits = bits;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i].frame) {
			entries[place_of(old[i].frame)] = old[i];
		}
	}
	free(old);
	return true;
}

static bool has_room_for_another(void)
{
	if (!table.entries) {
		return resize(SMALLEST_BITS);
	}
	if (table.count >= COMPASS_CALLS_MAX) {
		return false;
	}
	return table.count < (table_mask() + 1) / 2 || resize(table.bits + 1);
}

struct compass_calls_entry *compass_calls_add(const void *frame, uint32_t depth)
{
	size_t place;

	if (!has_room_for_another()) {
		return NULL;
	}
	place = place_of(frame);
	/* Otherwise an entry is left from a call whose end was never seen, and this one replaces it. */
	if (!table.entries[place].frame) {
		table.count++;
	}
	table.entries[place] = (struct compass_calls_entry){.frame = frame, .depth = depth};
	return &table.entries[place];
}

const struct compass_calls_entry *compass_calls_find(const void *frame)
{
	const struct compass_calls_entry *entry;

	if (table.count == 0) {
		return NULL;
	}
	entry = &table.entries[place_of(frame)];
	return entry->frame ? entry : NULL;
}

/* Moves later entries of a run into the gap, so that a search never stops short of them. */
static void close_gap(size_t gap)
{
	size_t place = gap;

	for (;;) {
		place = (place + 1) & table_mask();
		if (!table.entries[place].frame) {
			break;
		}
		size_t distance_from_home = (place - home_of(table.entries[place].frame)) & table_mask();
		size_t distance_from_gap = (place - gap) & table_mask();
		if (distance_from_home >= distance_from_gap) {
			table.entries[gap] = table.entries[place];
			gap = place;
		}
	}
	table.entries[gap].frame = NULL;
}

bool compass_calls_take(const void *frame, struct compass_calls_entry *entry)
{
	size_t place;

	if (table.count == 0) {
		return false;
	}
	place = place_of(frame);
	if (!table.entries[place].frame) {
		return false;
	}
	*entry = table.entries[place];
	close_gap(place);
	table.count--;
	return true;
}

void compass_calls_clear(void)
{
	if (table.bits > KEPT_BITS) {
		compass_calls_free();
	} else if (table.count > 0) {
		memset(table.entries, 0, (table_mask() + 1) * sizeof(*table.entries));
		table.count = 0;
	}
}

void compass_calls_free(void)
{
	free(table.entries);
	table.entries = NULL;
	table.count = 0;
	table.bits = 0;
}
