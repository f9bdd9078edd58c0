<?php
// Before every page: sample it, and put the samples together at its end, as whoever profiles production does.
$profiler = new ExcimerProfiler();
$profiler->setPeriod(0.01);
$profiler->setEventType(EXCIMER_REAL);
$profiler->start();
register_shutdown_function(function () use ($profiler): void {
    $profiler->stop();
    $profiler->getLog()->formatCollapsed();
});
