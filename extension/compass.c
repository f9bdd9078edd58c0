/* SPDX-License-Identifier: MIT */
/* The module itself: settings, phpinfo(), and when what happens. */
#include "php_compass.h"

#include "SAPI.h"
#include "ext/standard/info.h"
#include "php_ini.h"

#include "compass_arginfo.h"
#include "compass_observer.h"
#include "compass_probes.h"
#include "compass_request.h"
#include "compass_state.h"

ZEND_DECLARE_MODULE_GLOBALS(compass)

static ZEND_INI_MH(on_update_activity)
{
	int result = OnUpdateBool(entry, new_value, mh_arg1, mh_arg2, mh_arg3, stage);

	compass_state_update();
	return result;
}

PHP_INI_BEGIN()
STD_PHP_INI_BOOLEAN("compass.enabled", "1", PHP_INI_SYSTEM, on_update_activity, enabled, zend_compass_globals,
    compass_globals)
STD_PHP_INI_BOOLEAN("compass.function_probes", "0", PHP_INI_SYSTEM, on_update_activity, function_probes,
    zend_compass_globals, compass_globals)
STD_PHP_INI_BOOLEAN(
    "compass.cli", "0", PHP_INI_SYSTEM, on_update_activity, cli, zend_compass_globals, compass_globals)
PHP_INI_END()

static bool is_fpm(void)
{
	return strcmp(sapi_module.name, "fpm-fcgi") == 0;
}

bool compass_is_active(void)
{
	return COMPASS_G(enabled) && (COMPASS_G(cli) || is_fpm());
}

static PHP_MINIT_FUNCTION(compass)
{
	REGISTER_INI_ENTRIES();
	compass_observer_startup();
	compass_state_update();
	return SUCCESS;
}

static PHP_MSHUTDOWN_FUNCTION(compass)
{
	compass_observer_shutdown();
	UNREGISTER_INI_ENTRIES();
	return SUCCESS;
}

static PHP_RINIT_FUNCTION(compass)
{
	/* opcache's preloading looks like a request to modules, but FPM's master serves none. */
	if (is_fpm() && !SG(server_context)) {
		return SUCCESS;
	}
	compass_request_begin();
	return SUCCESS;
}

static PHP_RSHUTDOWN_FUNCTION(compass)
{
	compass_request_end();
	compass_observer_end_request();
	return SUCCESS;
}

static const char *describe_activity(void)
{
	if (compass_is_active()) {
		return "yes";
	}
	return COMPASS_G(enabled) ? "no, only under PHP-FPM" : "no, compass.enabled is off";
}

static const char *describe_tracer(volatile unsigned short *semaphore)
{
	return *semaphore ? "attached" : "none";
}

static PHP_MINFO_FUNCTION(compass)
{
	php_info_print_table_start();
	php_info_print_table_row(2, "Compass version", PHP_COMPASS_VERSION);
	php_info_print_table_row(2, "ABI version", ZEND_TOSTR(COMPASS_ABI_VERSION));
	php_info_print_table_row(2, "Active", describe_activity());
	php_info_print_table_row(2, "Function probes", compass_observer_is_on() ? "on" : "off");
	php_info_print_table_end();

	php_info_print_table_start();
	php_info_print_table_header(2, "Probe", "Tracer");
	php_info_print_table_row(2, "fpm_request_init", describe_tracer(&COMPASS_SEMAPHORE(fpm_request_init)));
	php_info_print_table_row(
	    2, "fpm_request_shutdown", describe_tracer(&COMPASS_SEMAPHORE(fpm_request_shutdown)));
	php_info_print_table_row(
	    2, "php_function_begin", describe_tracer(&COMPASS_SEMAPHORE(php_function_begin)));
	php_info_print_table_row(2, "php_function_end", describe_tracer(&COMPASS_SEMAPHORE(php_function_end)));
	php_info_print_table_end();

	DISPLAY_INI_ENTRIES();
}

zend_module_entry compass_module_entry = {
    STANDARD_MODULE_HEADER,
    "compass",
    ext_functions,
    PHP_MINIT(compass),
    PHP_MSHUTDOWN(compass),
    PHP_RINIT(compass),
    PHP_RSHUTDOWN(compass),
    PHP_MINFO(compass),
    PHP_COMPASS_VERSION,
    PHP_MODULE_GLOBALS(compass),
    NULL, /* the globals need no constructor: INI entries fill them */
    NULL,
    NULL,
    STANDARD_MODULE_PROPERTIES_EX,
};

#ifdef COMPILE_DL_COMPASS
ZEND_GET_MODULE(compass)
#endif
