--TEST--
compass.enabled=0 turns everything off, function probes included
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.enabled=0
compass.function_probes=1
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
Active => no, compass.enabled is off
Function probes => off
