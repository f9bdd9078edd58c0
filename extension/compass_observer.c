/* SPDX-License-Identifier: MIT */
/*
 * The function probes, fed by PHP's Observer API.
 *
 * Observers cost every call a little even if they want nothing, so they are registered only when asked for.
 * The handlers allocate nothing in PHP's heap, raise nothing and call no PHP code.
 */
#include "compass_observer.h"

#include "php_compass.h"
#include "zend_observer.h"

#include "compass_calls.h"
#include "compass_clock.h"
#include "compass_probes.h"
#include "compass_request.h"

/* How many frames up to look for one that was observed: PHP puts a few of its own between, as for a fiber. */
#define CALLER_SEARCH_MAX 16

static bool is_registered;

/* A call, as the probes name it. */
struct name {
	const char *function;
	const char *class_name;
};

static bool is_anybody_attached(void)
{
	return COMPASS_PROBE_ARMED(php_function_begin) || COMPASS_PROBE_ARMED(php_function_end);
}

/*
 * Reads both ends of a string that is about to be given to a probe. With opcache it lives in shared memory
 * whose pages this worker may never have touched, and an eBPF program cannot have them brought in.
 */
static const char *readable(const zend_string *string)
{
	const volatile char *text = ZSTR_VAL(string);

	(void)text[0];
	(void)text[ZSTR_LEN(string)];
	return ZSTR_VAL(string);
}

/* PHP has no name for code outside functions. */
static const char *name_of_script(const zend_execute_data *call)
{
	if (call->func->type == ZEND_EVAL_CODE) {
		return "eval";
	}
	return call->prev_execute_data ? "include" : "{main}";
}

static struct name name_of(const zend_execute_data *call)
{
	const zend_function *function = call->func;

	return (struct name){
	    .function =
	        function->common.function_name ? readable(function->common.function_name) : name_of_script(call),
	    .class_name = function->common.scope ? readable(function->common.scope->name) : "",
	};
}

static uint32_t depth_of(const zend_execute_data *call)
{
	const zend_execute_data *caller = call->prev_execute_data;

	for (int i = 0; caller && i < CALLER_SEARCH_MAX; i++) {
		const struct compass_calls_entry *entry = compass_calls_find(caller);
		if (entry) {
			return entry->depth + 1;
		}
		caller = caller->prev_execute_data;
	}
	return 0;
}

static void begin_call(zend_execute_data *call)
{
	const char *id;
	uint32_t depth;
	struct compass_calls_entry *entry;

	if (!is_anybody_attached()) {
		/* Calls begun under an earlier tracer may end unseen, and must not meet the next one. */
		compass_calls_clear();
		return;
	}
	id = compass_request_id();
	if (!id) {
		return;
	}
	depth = depth_of(call);
	entry = compass_calls_add(call, depth);
	if (!entry) {
		return;
	}
	if (COMPASS_PROBE_ARMED(php_function_begin)) {
		struct name name = name_of(call);
		compass_probes_function_begin(id, name.function, name.class_name, depth);
	}
	/* Last, so that the probe's own time is not the function's. */
	entry->start_ns = compass_clock_ns(CLOCK_MONOTONIC);
}

static void report_end(
    const zend_execute_data *call, const struct compass_calls_entry *entry, uint64_t end_ns)
{
	const char *id = compass_request_id();
	struct compass_call details = {.file = "", .start_ns = entry->start_ns, .depth = entry->depth};
	struct name name;

	if (!id) {
		return;
	}
	name = name_of(call);
	if (ZEND_USER_CODE(call->func->type)) {
		details.file = readable(call->func->op_array.filename);
		details.line = call->func->op_array.line_start;
	}
	compass_probes_function_end(id, name.function, name.class_name, end_ns - entry->start_ns, &details);
}

static void end_call(zend_execute_data *call, zval *return_value)
{
	struct compass_calls_entry entry;
	uint64_t end_ns;

	if (!is_anybody_attached()) {
		compass_calls_clear();
		return;
	}
	end_ns = compass_clock_ns(CLOCK_MONOTONIC);
	/* Unknown if it began before anybody was attached. */
	if (compass_calls_take(call, &entry) && COMPASS_PROBE_ARMED(php_function_end)) {
		report_end(call, &entry, end_ns);
	}
}

/* PHP asks once per function and request. */
static zend_observer_fcall_handlers choose_handlers(zend_execute_data *call)
{
	if (!compass_observer_is_on()) {
		return (zend_observer_fcall_handlers){NULL, NULL};
	}
	return (zend_observer_fcall_handlers){begin_call, end_call};
}

void compass_observer_startup(void)
{
	if (COMPASS_G(function_probes) && compass_is_active()) {
		zend_observer_fcall_register(choose_handlers);
		is_registered = true;
	}
}

void compass_observer_end_request(void)
{
	compass_calls_clear();
}

void compass_observer_shutdown(void)
{
	compass_calls_free();
}

bool compass_observer_is_on(void)
{
	/* A pool can turn off what was registered for all, but not turn on what was not. */
	return is_registered && COMPASS_G(function_probes) && compass_is_active();
}
