--TEST--
Generators that finish, are abandoned, delegate, throw and finish out of order run as without Compass
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
function numbers(int $n)
{
    try {
        for ($i = 0; $i < $n; $i++) {
            $got = yield $i;
            if ($got) {
                echo "got $got\n";
            }
        }
        return "returned $n";
    } finally {
        echo "finally $n\n";
    }
}
function nested(int $depth)
{
    return $depth ? yield from nested($depth - 1) : yield from numbers(3);
}
function abandon()
{
    $generator = numbers(5);
    $generator->current();
    $unstarted = numbers(6);
}
function failing()
{
    yield 1;
    throw new RuntimeException("from a generator");
}

$finished = numbers(2);
echo implode(",", iterator_to_array($finished)), "\n", $finished->getReturn(), "\n";
abandon();

$nested = nested(50);
foreach ($nested as $value) {
    echo $value, "\n";
}
echo $nested->getReturn(), "\n";

$many = array_map(fn() => numbers(4), range(1, 100));
foreach ($many as $generator) {
    $generator->current();
}
shuffle($many);
ob_start();
foreach ($many as $generator) {
    while ($generator->valid()) {
        $generator->send(null);
    }
}
echo substr_count(ob_get_clean(), "finally 4"), " finished\n";

$sent = numbers(2);
$sent->current();
$sent->send("text");
try {
    $sent->throw(new LogicException("into a generator"));
} catch (LogicException $error) {
    echo $error->getMessage(), "\n";
}
try {
    foreach (failing() as $value) {
        echo $value, "\n";
    }
} catch (RuntimeException $error) {
    echo $error->getMessage(), "\n";
}
$left = numbers(9);
$left->current();
echo "end\n";
?>
--EXPECT--
finally 2
0,1
returned 2
finally 5
0
1
2
finally 3
returned 3
100 finished
got text
finally 2
into a generator
1
from a generator
end
finally 9
