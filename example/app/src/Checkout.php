<?php

declare(strict_types=1);

namespace Shop;

/** Slow by waiting for somebody else. */
final class Checkout
{
    public function __construct(private readonly PaymentProvider $provider)
    {
    }

    /** @return array{page: string, authorised: bool} */
    public function submit(): array
    {
        Compass::tag('payment', 'card');

        return ['page' => 'checkout', 'authorised' => $this->provider->authorise(4200)];
    }
}
