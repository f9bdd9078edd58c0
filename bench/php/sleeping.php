<?php
// Sleeps some functions deep, as a page does that waits for somebody.
function wait_for_answer(int $seconds): void { sleep($seconds); }
function ask(int $depth, int $seconds): void {
    $depth > 0 ? ask($depth - 1, $seconds) : wait_for_answer($seconds);
}
ask(20, (int) $_GET['seconds']);
