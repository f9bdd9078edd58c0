--TEST--
Under the CLI Compass is not active, and its functions say so
--EXTENSIONS--
compass
--INI--
compass.cli=0
--FILE--
<?php
var_dump(Compass\transaction("home"));
var_dump(Compass\tag("tenant", "7"));
ob_start();
phpinfo(INFO_MODULES);
preg_match_all('/^(Active|Function probes) => .*$/m', ob_get_clean(), $rows);
echo implode("\n", $rows[0]), "\n";
?>
--EXPECT--
bool(false)
bool(false)
Active => no, only under PHP-FPM
Function probes => off
