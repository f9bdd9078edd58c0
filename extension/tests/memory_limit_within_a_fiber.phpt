--TEST--
Running out of memory inside a fiber and a generator is reported by PHP as ever
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
ini_set("memory_limit", "8M");
register_shutdown_function(fn() => print("shutdown\n"));
function fill()
{
    $texts = [];
    foreach ((function () { while (true) { yield str_repeat("x", 10000); } })() as $text) {
        $texts[] = $text;
    }
}
$fiber = new Fiber(fn() => array_map("fill", [1]));
$fiber->start();
?>
--EXPECTF--
Fatal error: Allowed memory size of 8388608 bytes exhausted%s(tried to allocate %d bytes) in %s on line %d
%Ashutdown
