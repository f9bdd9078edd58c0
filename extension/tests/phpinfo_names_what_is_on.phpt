--TEST--
phpinfo() shows versions, whether Compass is active, and which probes have a tracer
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
(new ReflectionExtension("compass"))->info();
?>
--EXPECTF--
compass

Compass version => %d.%d.%d
ABI version => %d
Active => yes
Function probes => on

Probe => Tracer
fpm_request_init => none
fpm_request_shutdown => none
php_function_begin => none
php_function_end => none

Directive => Local Value => Master Value
compass.enabled => On => On
compass.function_probes => On => On
compass.cli => On => On
