--TEST--
Fibers that interleave, fail, nest, run deep and never finish run as without Compass
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
function deep(int $n): int
{
    return $n ? 1 + deep($n - 1) : (int) Fiber::suspend("deep");
}
function task(string $name): string
{
    foreach ([1, 2, 3] as $step) {
        echo "$name$step ";
        Fiber::suspend();
    }
    return $name;
}

$fibers = array_map(fn($name) => new Fiber(fn() => task($name)), ["a", "b", "c"]);
array_map(fn($fiber) => $fiber->start(), $fibers);
while (array_filter($fibers, fn($fiber) => !$fiber->isTerminated())) {
    foreach ($fibers as $fiber) {
        $fiber->isTerminated() or $fiber->resume();
    }
}
echo implode(array_map(fn($fiber) => $fiber->getReturn(), $fibers)), "\n";

$first = new Fiber("deep");
$second = new Fiber("deep");
echo $first->start(5000), $second->start(3000), "\n";
$first->resume(1);
$second->resume(2);
echo $first->getReturn(), " ", $second->getReturn(), "\n";

$outer = new Fiber(function () {
    $inner = new Fiber(function () {
        echo Fiber::suspend("inner"), "\n";
    });
    echo Fiber::suspend($inner->start()), "\n";
    $inner->resume("to inner");
});
echo $outer->start(), "\n";
$outer->resume("to outer");

$generator = (function () {
    $fiber = new Fiber(function () {
        yield_in_fiber();
    });
    $fiber->start();
    yield "from a generator with a fiber";
    $fiber->resume();
})();
function yield_in_fiber()
{
    foreach ((function () { yield 1; Fiber::suspend(); yield 2; })() as $value) {
        echo $value, "\n";
    }
}
foreach ($generator as $text) {
    echo $text, "\n";
}

$failing = new Fiber(function () {
    Fiber::suspend();
    throw new RuntimeException("from a fiber");
});
$failing->start();
try {
    $failing->resume();
} catch (RuntimeException $error) {
    echo $error->getMessage(), "\n";
}

for ($i = 0; $i < 50; $i++) {
    $short = new Fiber("deep");
    $short->start(10);
    unset($short);
}
$unfinished = new Fiber(function () {
    try {
        deep(20);
    } finally {
        echo "unwound\n";
    }
});
$unfinished->start();
echo "end\n";
?>
--EXPECT--
a1 b1 c1 a2 b2 c2 a3 b3 c3 abc
deepdeep
5001 3002
inner
to outer
to inner
1
from a generator with a fiber
2
from a fiber
end
unwound
