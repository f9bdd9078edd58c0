--TEST--
exit works from a deep call, a callback, a shutdown function and a destructor
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
class Last
{
    public function __destruct()
    {
        echo "destructor\n";
        exit;
    }
}
function leave(int $n)
{
    $n ? leave($n - 1) : array_map(function () { exit("leaving\n"); }, [1]);
}
$last = new Last();
register_shutdown_function(function () {
    echo "shutdown\n";
    (new Fiber(function () {
        foreach ((function () { yield 1; exit; })() as $value) {
            echo $value, "\n";
        }
    }))->start();
    echo "not reached\n";
});
leave(10);
?>
--EXPECT--
leaving
shutdown
1
destructor
