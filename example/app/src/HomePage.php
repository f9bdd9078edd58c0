<?php

declare(strict_types=1);

namespace Shop;

/** The page that is fast. */
final class HomePage
{
    /** @return array{page: string, products: list<string>} */
    public function show(): array
    {
        return ['page' => 'home', 'products' => ['Compass', 'Map', 'Lantern']];
    }
}
