<?php

declare(strict_types=1);

namespace Shop;

/** Slow by computing. */
final class SalesReport
{
    /** Of CPU time, so that the work is the same on a slow or busy machine. */
    private const WORK_MS = 200;

    /** @return array{page: string, rounds: int, cpu_ms: float, digest: string} */
    public function build(): array
    {
        $start = $this->cpu();
        $digest = '';
        $rounds = 0;
        do {
            $digest = $this->digest($digest);
            ++$rounds;
            $used = $this->cpu() - $start;
        } while ($used < self::WORK_MS);

        return ['page' => 'report', 'rounds' => $rounds, 'cpu_ms' => $used, 'digest' => $digest];
    }

    private function digest(string $seed): string
    {
        for ($n = 0; $n < 1000; ++$n) {
            $seed = hash('sha256', $seed);
        }

        return $seed;
    }

    /** CPU time of this process, user and system, ms. */
    private function cpu(): float
    {
        $usage = getrusage();
        $seconds = $usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec'];

        return $seconds * 1e3 + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) / 1e3;
    }
}
