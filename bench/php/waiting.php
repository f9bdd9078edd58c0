<?php
// A page in small: it computes and waits in turn, at different depths of the stack.
function compute(): string { $hash = ''; for ($i = 0; $i < 200; $i++) $hash = sha1($hash); return $hash; }
function work(int $depth): string {
    usleep(50);
    return compute() . ($depth > 0 ? work($depth - 1) : '');
}
echo strlen(work(20));
