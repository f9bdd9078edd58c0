<?php

declare(strict_types=1);

namespace Shop;

/** Slow by a service in between: asks it over HTTP, and waits. */
final class ShippingQuote
{
    private const TIMEOUT_S = 10;

    /** @param string $url of the shipping service; the environment's SHOP_SHIPPING_URL */
    public function __construct(private readonly string $url)
    {
    }

    /** @return array{page: string, quote: string} */
    public function fetch(): array
    {
        if ($this->url === '') {
            throw new \RuntimeException('SHOP_SHIPPING_URL is not set');
        }
        $context = stream_context_create(['http' => ['timeout' => self::TIMEOUT_S]]);
        $quote = file_get_contents($this->url, false, $context);
        if ($quote === false) {
            throw new \RuntimeException('the shipping service did not answer');
        }

        return ['page' => 'shipping', 'quote' => trim($quote)];
    }
}
