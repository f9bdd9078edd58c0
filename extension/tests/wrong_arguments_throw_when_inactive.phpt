--TEST--
Where Compass is not active a wrong argument is still an error, so that it shows in development
--EXTENSIONS--
compass
--INI--
compass.cli=0
--FILE--
<?php
foreach ([fn() => Compass\transaction(""), fn() => Compass\tag("", ""), fn() => Compass\tag("k", "\0")] as $call) {
    try {
        var_dump($call());
    } catch (ValueError $error) {
        echo $error->getMessage(), "\n";
    }
}
?>
--EXPECT--
Compass\transaction(): Argument #1 ($name) must not be empty
Compass\tag(): Argument #1 ($key) must not be empty
Compass\tag(): Argument #2 ($value) must not contain any null bytes
