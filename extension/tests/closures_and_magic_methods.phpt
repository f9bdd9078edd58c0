--TEST--
Closures, magic methods, static calls and anonymous classes run as without Compass
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
class Magic
{
    private array $data = [];
    public function __get($name) { return $this->data[$name] ?? "no $name"; }
    public function __set($name, $value) { $this->data[$name] = $value; }
    public function __isset($name) { return isset($this->data[$name]); }
    public function __unset($name) { unset($this->data[$name]); }
    public function __call($name, $arguments) { return "$name(" . implode(",", $arguments) . ")"; }
    public static function __callStatic($name, $arguments) { return "::$name(" . implode(",", $arguments) . ")"; }
    public function __invoke($value) { return $value + 1; }
    public function __toString() { return "magic"; }
    public function __clone() { echo "cloned\n"; }
}
$magic = new Magic();
$magic->a = 1;
var_dump(isset($magic->a), $magic->a, $magic->b);
unset($magic->a);
var_dump(isset($magic->a));
echo $magic->call(1, 2), " ", Magic::call(3), " ", $magic(4), " $magic\n";
echo implode(",", array_map([$magic, "mapped"], [1, 2])), "\n";
echo implode(",", array_map("Magic::mapped", [1, 2])), "\n";
echo implode(",", array_map($magic->firstClass(...), [1, 2])), "\n";
clone $magic;
echo (function () { return get_class($this); })->call($magic), "\n";
$counter = function () { static $n = 0; return ++$n; };
echo $counter(), $counter(), "\n";
echo (new class { public function name() { return __FUNCTION__; } })->name(), "\n";
echo (fn() => (fn() => strrev("cba"))())(), "\n";
spl_autoload_register(function ($class) { eval("class $class { const OK = 'loaded'; }"); });
echo Autoloaded::OK, "\n";
set_error_handler(fn($level, $message) => print("handled: $message\n"));
echo $undefined;
?>
--EXPECT--
bool(true)
int(1)
string(4) "no b"
bool(false)
call(1,2) ::call(3) 5 magic
mapped(1),mapped(2)
::mapped(1),::mapped(2)
firstClass(1),firstClass(2)
cloned
Magic
12
name
abc
loaded
handled: Undefined variable $undefined
