<?php

declare(strict_types=1);

namespace Shop;

/** Stands for a payment provider on a bad day. */
final class PaymentProvider
{
    private const DELAY_MS = 300;

    public function authorise(int $cents): bool
    {
        usleep(self::DELAY_MS * 1000);

        return $cents > 0;
    }
}
