/* SPDX-License-Identifier: MIT */
/*
 * The request this process is serving: its facts, and the two request probes.
 *
 * While nobody is attached a request costs one reading of the clock. Its start must always be known, so
 * that a tracer that comes in the middle of a request still gets its true duration.
 */
#include "compass_request.h"

#include "php_compass.h"
#include "SAPI.h"

#include "compass_clock.h"
#include "compass_identity.h"
#include "compass_layout.h"
#include "compass_names.h"
#include "compass_observer.h"
#include "compass_probes.h"
#include "compass_text.h"

/*
 * A page of its own, written at the start of each request: the eBPF program reads the struct in one go and
 * cannot have a page brought in, so one untouched page would lose the whole request.
 */
#define PAGE_SIZE 4096
_Static_assert(sizeof(struct compass_request) <= PAGE_SIZE, "a request fits into one page");
static struct compass_request request __attribute__((aligned(PAGE_SIZE)));

static struct {
	bool is_running;
	bool is_described;     /* the facts known at the start are filled */
	bool is_cpu_measured;  /* somebody was attached at the start */
	uint64_t cpu_start_ns; /* CLOCK_PROCESS_CPUTIME_ID, if is_cpu_measured */
	pid_t pid;             /* whose request it is, likewise */
} state;

/*
 * A CGI variable, NULL if there is none. Straight from the SAPI, because $_SERVER may not exist yet, and
 * sapi_getenv() would copy it and run it through the input filters. The CLI has only the environment.
 */
static const char *cgi_variable(const char *name)
{
	return sapi_module.getenv ? sapi_module.getenv(name, strlen(name)) : getenv(name);
}

static const char *request_uri(void)
{
	/* Not SG(request_info).request_uri: under FPM that is the script's name. */
	const char *uri = cgi_variable("REQUEST_URI");

	return uri ? uri : cgi_variable("SCRIPT_NAME");
}

static const char *script_path(void)
{
	const char *path = SG(request_info).path_translated;

	return path ? path : cgi_variable("SCRIPT_FILENAME");
}

static void describe(void)
{
	size_t uri_length;

	if (state.is_described) {
		return;
	}
	state.is_described = true;

	request.version = COMPASS_ABI_VERSION;
	request.size = sizeof(request);
	compass_layout_fill(&request.layout);

	compass_identity_request_id(
	    request.id, cgi_variable("HTTP_X_REQUEST_ID"), cgi_variable("HTTP_TRACEPARENT"), request.start_ns);
	compass_identity_pool(request.pool);
	compass_text_copy(request.method, COMPASS_METHOD_SIZE, SG(request_info).request_method);
	compass_text_copy(request.host, COMPASS_HOST_SIZE, cgi_variable("HTTP_HOST"));
	compass_text_copy(request.script, COMPASS_SCRIPT_SIZE, script_path());
	uri_length = compass_text_copy(request.uri, COMPASS_URI_SIZE, request_uri());
	request.uri_length = (uint32_t)uri_length;
	if (uri_length >= COMPASS_URI_SIZE) {
		request.flags |= COMPASS_REQUEST_URI_CUT;
	}
	if (compass_observer_is_on()) {
		request.flags |= COMPASS_REQUEST_FUNCTION_PROBES;
	}
}

void compass_request_begin(void)
{
	if (!compass_is_active()) {
		return;
	}
	state.is_running = true;
	state.is_described = false;
	state.is_cpu_measured = false;
	request.start_ns = compass_clock_ns(CLOCK_MONOTONIC);
	request.flags = 0;
	request.tag_count = 0;
	request.transaction[0] = '\0';

	if (COMPASS_PROBE_ARMED(fpm_request_init) || COMPASS_PROBE_ARMED(fpm_request_shutdown)) {
		state.is_cpu_measured = true;
		state.pid = getpid();
		state.cpu_start_ns = compass_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		describe();
		compass_names_bring_in();
	}
	if (COMPASS_PROBE_ARMED(fpm_request_init)) {
		compass_probes_request_init(request.id, request.uri, request.method, &request);
	}
}

static void report_end(void)
{
	int status = SG(sapi_headers).http_response_code;

	describe();
	request.duration_ns = compass_clock_ns(CLOCK_MONOTONIC) - request.start_ns;
	if (state.is_cpu_measured) {
		request.cpu_ns = compass_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - state.cpu_start_ns;
	} else {
		request.cpu_ns = 0;
		request.flags |= COMPASS_REQUEST_LATE;
	}
	request.memory_peak = zend_memory_peak_usage(false);
	/* PHP leaves 0 where the script set none, and the web server makes it 200. */
	request.status = status > 0 ? (uint32_t)status : 200;

	compass_probes_request_shutdown(
	    request.id, request.uri, request.method, &request, request.duration_ns, request.status);
}

/*
 * Whether the script has forked this process, whose parent tells of the request. The processor time of this
 * one began with it. It is known if somebody was attached at the start: otherwise it would take a system call
 * always.
 */
static bool is_forked(void)
{
	return state.is_cpu_measured && getpid() != state.pid;
}

void compass_request_end(void)
{
	if (!state.is_running) {
		return;
	}
	if (COMPASS_PROBE_ARMED(fpm_request_shutdown) && !is_forked()) {
		report_end();
	}
	state.is_running = false;
}

struct compass_request *compass_request_current(void)
{
	return state.is_running ? &request : NULL;
}

const char *compass_request_id(void)
{
	if (!state.is_running) {
		return NULL;
	}
	describe();
	return request.id;
}
