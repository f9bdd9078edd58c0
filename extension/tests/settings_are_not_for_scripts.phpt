--TEST--
Settings have safe defaults, and a script cannot change them
--EXTENSIONS--
compass
--INI--
compass.cli=0
--FILE--
<?php
foreach (ini_get_all("compass") as $name => $setting) {
    printf("%s=%s access=%d\n", $name, $setting["global_value"], $setting["access"]);
    var_dump(ini_set($name, "1"));
}
var_dump(ini_get("compass.function_probes"));
?>
--EXPECT--
compass.cli=0 access=4
bool(false)
compass.enabled=1 access=4
bool(false)
compass.function_probes=0 access=4
bool(false)
string(1) "0"
