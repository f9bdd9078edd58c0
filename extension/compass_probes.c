/* SPDX-License-Identifier: MIT */
/*
 * The only file with probe sites. Each probe has exactly one, in a function of its own that is neither
 * inlined nor cloned, so that a tracer attaches to one address.
 *
 * Every argument is pinned to the register in which the calling convention passed it in. Left alone, the
 * compiler may choose another register, or memory, per build, and the eBPF program would have to differ
 * for each. Nothing may be evaluated between the assignments and the probe, as a call would clobber them.
 */
#include "php.h"

#define _SDT_HAS_SEMAPHORES 1
#define STAP_SDT_ARG_CONSTRAINT r
#include <sys/sdt.h>

#include "compass_probes.h"

/* Tracers look for semaphores in this section; "used" because only assembly refers to them by address. */
#define SEMAPHORE_PLACE __attribute__((section(".probes"), visibility("hidden"), used))
volatile unsigned short COMPASS_SEMAPHORE(fpm_request_init) SEMAPHORE_PLACE;
volatile unsigned short COMPASS_SEMAPHORE(fpm_request_shutdown) SEMAPHORE_PLACE;
volatile unsigned short COMPASS_SEMAPHORE(php_function_begin) SEMAPHORE_PLACE;
volatile unsigned short COMPASS_SEMAPHORE(php_function_end) SEMAPHORE_PLACE;

#if defined(__clang__)
#define ONE_SITE __attribute__((noinline))
#else
#define ONE_SITE __attribute__((noinline, noclone))
#endif

ONE_SITE void compass_probes_request_init(
    const char *id, const char *uri, const char *method, const struct compass_request *request)
{
	register const char *a1 __asm__("rdi") = id;
	register const char *a2 __asm__("rsi") = uri;
	register const char *a3 __asm__("rdx") = method;
	register const struct compass_request *a4 __asm__("rcx") = request;

	STAP_PROBE4(compass, fpm_request_init, a1, a2, a3, a4);
}

ONE_SITE void compass_probes_request_shutdown(const char *id, const char *uri, const char *method,
    const struct compass_request *request, uint64_t duration_ns, int64_t status)
{
	register const char *a1 __asm__("rdi") = id;
	register const char *a2 __asm__("rsi") = uri;
	register const char *a3 __asm__("rdx") = method;
	register const struct compass_request *a4 __asm__("rcx") = request;
	register uint64_t a5 __asm__("r8") = duration_ns;
	register int64_t a6 __asm__("r9") = status;

	STAP_PROBE6(compass, fpm_request_shutdown, a1, a2, a3, a4, a5, a6);
}

ONE_SITE void compass_probes_function_begin(
    const char *id, const char *function, const char *class_name, uint64_t depth)
{
	register const char *a1 __asm__("rdi") = id;
	register const char *a2 __asm__("rsi") = function;
	register const char *a3 __asm__("rdx") = class_name;
	register uint64_t a4 __asm__("rcx") = depth;

	STAP_PROBE4(compass, php_function_begin, a1, a2, a3, a4);
}

ONE_SITE void compass_probes_function_end(const char *id, const char *function, const char *class_name,
    uint64_t elapsed_ns, const struct compass_call *call)
{
	register const char *a1 __asm__("rdi") = id;
	register const char *a2 __asm__("rsi") = function;
	register const char *a3 __asm__("rdx") = class_name;
	register uint64_t a4 __asm__("rcx") = elapsed_ns;
	register const struct compass_call *a5 __asm__("r8") = call;

	STAP_PROBE5(compass, php_function_end, a1, a2, a3, a4, a5);
}
