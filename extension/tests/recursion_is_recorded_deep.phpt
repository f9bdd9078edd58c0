--TEST--
A recursion 50,000 deep, and one deeper than is recorded, return what they should
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
ini_set("memory_limit", "512M");
function down(int $n): int
{
    return $n ? 1 + down($n - 1) : 0;
}
// Twice: the second time calls meet what the first left behind.
echo down(50000), "\n", down(50000), "\n", down(100000), "\n", down(10), "\n";
?>
--EXPECT--
50000
50000
100000
10
