--TEST--
An empty name, a NUL byte and a wrong type are errors, active or not
--EXTENSIONS--
compass
--INI--
compass.cli=1
--FILE--
<?php
declare(strict_types=1);

$calls = [
    fn() => Compass\transaction(""),
    fn() => Compass\transaction("a\0b"),
    fn() => Compass\transaction("a\0"),
    fn() => Compass\transaction(7),
    fn() => Compass\transaction(),
    fn() => Compass\tag("", "value"),
    fn() => Compass\tag("ke\0y", "value"),
    fn() => Compass\tag("key", "val\0ue"),
    fn() => Compass\tag("key", null),
    fn() => Compass\tag("key"),
    fn() => Compass\tag("key", ""),
];
foreach ($calls as $call) {
    try {
        var_dump($call());
    } catch (Throwable $error) {
        echo get_class($error), ": ", $error->getMessage(), "\n";
    }
}
?>
--EXPECT--
ValueError: Compass\transaction(): Argument #1 ($name) must not be empty
ValueError: Compass\transaction(): Argument #1 ($name) must not contain any null bytes
ValueError: Compass\transaction(): Argument #1 ($name) must not contain any null bytes
TypeError: Compass\transaction(): Argument #1 ($name) must be of type string, int given
ArgumentCountError: Compass\transaction() expects exactly 1 argument, 0 given
ValueError: Compass\tag(): Argument #1 ($key) must not be empty
ValueError: Compass\tag(): Argument #1 ($key) must not contain any null bytes
ValueError: Compass\tag(): Argument #2 ($value) must not contain any null bytes
TypeError: Compass\tag(): Argument #2 ($value) must be of type string, null given
ArgumentCountError: Compass\tag() expects exactly 2 arguments, 1 given
bool(true)
