--TEST--
A fatal error in a method is reported by PHP as ever, and shutdown functions still run
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
register_shutdown_function(function () {
    echo "shutdown: ", error_get_last()["message"], "\n";
    var_dump(Compass\transaction("after a fatal error"));
});
class Loader
{
    public static function load()
    {
        eval('class Broken implements Countable {}');
    }
}
array_map(["Loader", "load"], [1]);
?>
--EXPECTF--
Fatal error: Class Broken contains 1 abstract method and must therefore be declared abstract or implement the remaining method%S (Countable::count) in %s(%d) : eval()'d code on line 1
%Ashutdown: Class Broken contains %s
bool(true)
