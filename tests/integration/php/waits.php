<?php
// ?n= waits at one place, or ?places= waits at places of their own.
function wait_often(int $n): void
{
    for ($i = 0; $i < $n; $i++) {
        usleep(1000);
    }
}

wait_often((int) ($_GET['n'] ?? 0));
$places = (int) ($_GET['places'] ?? 0);
$code = '';
for ($i = 0; $i < $places; $i++) {
    $code .= "usleep(300);\n";
}
eval($code);
