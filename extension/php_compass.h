/* SPDX-License-Identifier: MIT */
/*
 * What every source file of the extension needs to know of the module itself: its globals, and whether it
 * has anything to do in this process.
 */
#ifndef PHP_COMPASS_H
#define PHP_COMPASS_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "php.h"

#if !defined(__x86_64__)
#error "Compass runs on amd64 only: its eBPF program reads probe arguments from amd64's registers."
#endif

#ifdef ZTS
#error "Compass needs a non-thread-safe PHP (NTS), as PHP-FPM is built on Debian: a request is a process."
#endif

#if PHP_VERSION_ID < 80200
#error "Compass needs PHP 8.2 or newer, the first whose Observer API sees internal functions."
#endif

#define PHP_COMPASS_VERSION "0.1.0"

/* The INI settings. All are PHP_INI_SYSTEM: an FPM pool can override them, a script cannot. */
ZEND_BEGIN_MODULE_GLOBALS(compass)
bool enabled;         /* compass.enabled */
bool function_probes; /* compass.function_probes */
bool cli;             /* compass.cli: be active under every SAPI, for tests */
ZEND_END_MODULE_GLOBALS(compass)

ZEND_EXTERN_MODULE_GLOBALS(compass)

#define COMPASS_G(v) ZEND_MODULE_GLOBALS_ACCESSOR(compass, v)

/*
 * Whether Compass watches this process. Not a constant of the process: FPM applies a pool's
 * php_admin_value in the worker, long after MINIT.
 */
bool compass_is_active(void);

extern zend_module_entry compass_module_entry;
#define phpext_compass_ptr &compass_module_entry

#endif /* PHP_COMPASS_H */
