--TEST--
A request has room for 8 tags; a known key is replaced even when there is no room for a new one
--EXTENSIONS--
compass
--INI--
compass.cli=1
--FILE--
<?php
for ($i = 1; $i <= 10; $i++) {
    echo $i, Compass\tag("key$i", "value") ? " kept" : " refused", "\n";
}
var_dump(Compass\tag("key8", "another"));
var_dump(Compass\tag("key9", "again"));
var_dump(Compass\tag("key1", str_repeat("long", 1000)));
?>
--EXPECT--
1 kept
2 kept
3 kept
4 kept
5 kept
6 kept
7 kept
8 kept
9 refused
10 refused
bool(true)
bool(false)
bool(true)
