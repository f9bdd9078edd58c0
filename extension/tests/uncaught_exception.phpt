--TEST--
An uncaught exception through internal and user functions is reported by PHP as ever
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
register_shutdown_function(fn() => print("shutdown\n"));
function fail($value)
{
    try {
        throw new DomainException("no $value");
    } finally {
        echo "finally\n";
    }
}
try {
    array_map("fail", [1]);
} catch (DomainException $error) {
    echo $error->getMessage(), "\n";
}
array_map(fn($value) => fail($value), [2, 3]);
echo "not reached\n";
?>
--EXPECTF--
finally
no 1
finally

Fatal error: Uncaught DomainException: no 2 in %s:%d
Stack trace:
#0 %s(%d): fail(2)
#1 [internal function]: {closure%S}(2)
#2 %s(%d): array_map(Object(Closure), Array)
#3 {main}
  thrown in %s on line %d
shutdown
