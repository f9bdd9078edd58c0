<?php
// Ends its worker in the middle of the request, ?by= a crash, a kill, or never.

function wait_and_die(string $by): void
{
    usleep(150000);
    match ($by) {
        'SIGSEGV' => posix_kill(getmypid(), 11),
        'SIGKILL' => posix_kill(getmypid(), 9),
        'nothing' => usleep((int) $_GET['ms'] * 1000),
        'loop' => (function (): void {
            while (true) {
                hash('sha256', str_repeat('x', 10000));
            }
        })(),
    };
}

wait_and_die($_GET['by']);
