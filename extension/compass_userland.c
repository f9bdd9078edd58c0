/* SPDX-License-Identifier: MIT */
/*
 * The functions that PHP code can call: Compass\transaction() and Compass\tag().
 *
 * What they are given is kept whether or not anybody is attached, because a tracer may come later in the
 * request. Wrong arguments throw even where Compass is not active: otherwise they would only do so in
 * production.
 */
#include "php_compass.h"

#include "compass_request.h"
#include "compass_text.h"

/* Throws a ValueError and returns false if the argument holds a NUL byte, which would cut it short. */
static bool check_text(uint32_t argument, const zend_string *text)
{
	if (memchr(ZSTR_VAL(text), '\0', ZSTR_LEN(text))) {
		zend_argument_value_error(argument, "must not contain any null bytes");
		return false;
	}
	return true;
}

static bool check_name(uint32_t argument, const zend_string *name)
{
	if (ZSTR_LEN(name) == 0) {
		zend_argument_value_error(argument, "must not be empty");
		return false;
	}
	return check_text(argument, name);
}

static void store(char *field, size_t size, const zend_string *text)
{
	size_t kept = compass_text_fit(size, ZSTR_VAL(text), ZSTR_LEN(text));

	memcpy(field, ZSTR_VAL(text), kept);
	field[kept] = '\0';
}

ZEND_FUNCTION(Compass_transaction)
{
	zend_string *name;
	struct compass_request *request;

	ZEND_PARSE_PARAMETERS_START(1, 1)
	Z_PARAM_STR(name)
	ZEND_PARSE_PARAMETERS_END();

	if (!check_name(1, name)) {
		RETURN_THROWS();
	}
	request = compass_request_current();
	if (!request) {
		RETURN_FALSE;
	}
	store(request->transaction, sizeof(request->transaction), name);
	RETURN_TRUE;
}

/* The tag of that key, or an unused one; NULL if there is no room. */
static struct compass_tag *find_or_add_tag(struct compass_request *request, const zend_string *key)
{
	struct compass_tag *tag;
	char kept_key[COMPASS_TAG_KEY_SIZE];

	/* Two keys that differ beyond the cut are the same key. */
	store(kept_key, sizeof(kept_key), key);
	for (uint32_t i = 0; i < request->tag_count; i++) {
		if (strcmp(request->tags[i].key, kept_key) == 0) {
			return &request->tags[i];
		}
	}
	if (request->tag_count == COMPASS_TAGS_MAX) {
		return NULL;
	}
	tag = &request->tags[request->tag_count++];
	memcpy(tag->key, kept_key, sizeof(kept_key));
	return tag;
}

ZEND_FUNCTION(Compass_tag)
{
	zend_string *key, *value;
	struct compass_request *request;
	struct compass_tag *tag;

	ZEND_PARSE_PARAMETERS_START(2, 2)
	Z_PARAM_STR(key)
	Z_PARAM_STR(value)
	ZEND_PARSE_PARAMETERS_END();

	if (!check_name(1, key) || !check_text(2, value)) {
		RETURN_THROWS();
	}
	request = compass_request_current();
	if (!request) {
		RETURN_FALSE;
	}
	tag = find_or_add_tag(request, key);
	if (!tag) {
		request->flags |= COMPASS_REQUEST_TAGS_DROPPED;
		RETURN_FALSE;
	}
	store(tag->value, sizeof(tag->value), value);
	RETURN_TRUE;
}
