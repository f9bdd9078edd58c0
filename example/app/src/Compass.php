<?php

declare(strict_types=1);

namespace Shop;

/** What the shop tells Compass about a request. Without the extension it does nothing. */
final class Compass
{
    /** Names the route, which says more than a path with ids in it. */
    public static function transaction(string $name): void
    {
        if (function_exists('Compass\transaction')) {
            \Compass\transaction($name);
        }
    }

    /** Adds a detail that helps to find the cause. */
    public static function tag(string $key, string $value): void
    {
        if (function_exists('Compass\tag')) {
            \Compass\tag($key, $value);
        }
    }
}
