<?php
// ?calls=N calls of a function, for losses.
function leaf(): int
{
    static $calls = 0;
    return ++$calls;
}

$calls = (int) $_GET['calls'];
for ($n = 0; $n < $calls; $n++) {
    leaf();
}
echo $calls;
