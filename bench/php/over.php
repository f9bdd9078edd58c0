<?php
// As little as a request can do that still waits once, two functions deep.
function ask(): void { usleep(20); }
function answer(): string { ask(); return 'done'; }
echo answer();
