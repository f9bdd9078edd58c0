<?php

declare(strict_types=1);

namespace Shop;

/** Fails, after having tried for a while. */
final class Newsletter
{
    private const ATTEMPTS = 3;
    private const PAUSE_MS = 20;

    public function subscribe(): never
    {
        for ($attempt = 1; $attempt <= self::ATTEMPTS; ++$attempt) {
            usleep(self::PAUSE_MS * 1000);
        }
        throw new \RuntimeException('the mail server does not answer');
    }
}
