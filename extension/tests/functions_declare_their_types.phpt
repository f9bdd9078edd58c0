--TEST--
Reflection knows the parameters and return types of Compass's functions
--EXTENSIONS--
compass
--FILE--
<?php
foreach ((new ReflectionExtension("compass"))->getFunctions() as $function) {
    $parameters = array_map(
        fn($parameter) => "{$parameter->getType()} \${$parameter->getName()}" . ($parameter->isOptional() ? "?" : ""),
        $function->getParameters(),
    );
    printf("%s(%s): %s\n", $function->getName(), implode(", ", $parameters), $function->getReturnType());
}
var_dump(Compass\tag(value: "7", key: "tenant"));
?>
--EXPECT--
Compass\transaction(string $name): bool
Compass\tag(string $key, string $value): bool
bool(false)
