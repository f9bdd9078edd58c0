<?php

// SPDX-License-Identifier: MIT
// One request of valgrind.sh: everything the extension has code for, and several ways to end.

function down(int $n): int
{
    return $n ? 1 + down($n - 1) : 0;
}

function numbers(int $n)
{
    for ($i = 0; $i < $n; $i++) {
        yield $i;
    }
    return $n;
}

function delegate()
{
    return yield from numbers(3);
}

$number = (int) $_GET["number"];
if (extension_loaded("compass")) {
    Compass\transaction("valgrind " . str_repeat("é", $number % 100));
    for ($i = 0; $i < 10; $i++) {
        Compass\tag("key" . ($i + $number) % 12, str_repeat("value", $i * 10));
    }
    try {
        Compass\tag("", "");
    } catch (ValueError) {
    }
}

// Every hundredth request grows the table of calls beyond what is kept from one request to the next.
$depth = $number % 100 ? 20 : 5000;
$result = down($depth) + array_sum(iterator_to_array(delegate()));

$abandoned = numbers(5);
$abandoned->current();
$fibers = array_map(fn() => new Fiber(fn() => down(3) + Fiber::suspend() + down(2)), [1, 2, 3]);
array_map(fn($fiber) => $fiber->start(), $fibers);
$fibers[1]->resume(1);
$fibers[0]->resume(2);
$list = [3, 1, 2];
usort($list, fn($a, $b) => $a <=> $b);
$result += eval('return count($GLOBALS["list"]);');

echo $result === $depth + 6 ? "served" : "wrong: $result", "\n";

if ($_GET["end"] === "fatal") {
    array_map(fn() => trigger_error("fatal", E_USER_ERROR), [1]);
}
match ($number % 8) {
    3 => array_map(fn() => exit(), [1]),
    5 => array_map(fn() => throw new Exception("uncaught"), [1]),
    default => null,
};
