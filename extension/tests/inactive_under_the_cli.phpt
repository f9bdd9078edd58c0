--TEST--
Under the CLI Compass is not active, and its functions say so
--EXTENSIONS--
compass
--FILE--
<?php
var_dump(Compass\transaction("home"));
var_dump(Compass\tag("tenant", "7"));
?>
--EXPECT--
bool(false)
bool(false)
