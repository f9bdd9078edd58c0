--TEST--
Running out of memory within a recursion is reported by PHP as ever
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
ini_set("memory_limit", "8M");
register_shutdown_function(function () {
    echo "shutdown: ", strlen(implode(array_map("strtoupper", ["a", "b"]))), "\n";
    var_dump(Compass\tag("after", "fatal error"));
});
function grow(string $text)
{
    return grow($text . str_repeat("x", 1000)) . "y";
}
grow("");
?>
--EXPECTF--
Fatal error: Allowed memory size of 8388608 bytes exhausted%s(tried to allocate %d bytes) in %s on line %d
%Ashutdown: 2
bool(true)
