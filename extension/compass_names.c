/* SPDX-License-Identifier: MIT */
/*
 * The names of functions, where the eBPF program can read them.
 *
 * opcache keeps the names of PHP's own functions, and all of what is preloaded, in memory that FPM's
 * processes share. A new process has none of its pages until it touches them, which it may never do with a
 * name: calling a function takes its hash. The eBPF program cannot have a page brought in, so the place would
 * have no name.
 */
#include "compass_names.h"

#include "php_compass.h"

static void touch(const zend_string *text)
{
	if (text) {
		/* Its length is read on the way, and it may lie across two pages. */
		(void)*(volatile const char *)&ZSTR_VAL(text)[ZSTR_LEN(text)];
		(void)*(volatile const char *)&ZSTR_VAL(text)[0];
	}
}

static void touch_functions(HashTable *functions)
{
	zend_function *function;

	ZEND_HASH_MAP_FOREACH_PTR(functions, function)
	{
		touch(function->common.function_name);
		if (function->type == ZEND_USER_FUNCTION) {
			touch(function->op_array.filename);
		}
	}
	ZEND_HASH_FOREACH_END();
}

void compass_names_bring_in(void)
{
	static bool is_done;
	zend_class_entry *class;

	if (is_done) {
		return;
	}
	is_done = true;
	touch_functions(CG(function_table));
	ZEND_HASH_MAP_FOREACH_PTR(CG(class_table), class)
	{
		touch(class->name);
		touch_functions(&class->function_table);
	}
	ZEND_HASH_FOREACH_END();
}
