<?php

declare(strict_types=1);

namespace Shop;

/** The shop's SQLite database, filled on first use: stock, and customers' orders with the items in them. */
final class Database
{
    public const ORDERS = 400;
    private const ITEMS_PER_ORDER = 12;

    public static function open(): \PDO
    {
        $database = self::connect(10);
        if ($database->query("SELECT name FROM sqlite_master WHERE name = 'orders'")->fetch() === false) {
            self::fill($database);
        }

        return $database;
    }

    /** @param int $timeout how long a statement waits for others' transactions, s */
    public static function connect(int $timeout): \PDO
    {
        $database = new \PDO('sqlite:' . (getenv('SHOP_DATABASE') ?: ':memory:'));
        $database->setAttribute(\PDO::ATTR_TIMEOUT, $timeout);

        return $database;
    }

    private static function fill(\PDO $database): void
    {
        // Immediate: of several workers that find it empty one fills it, and the others wait and then see that.
        $database->exec('BEGIN IMMEDIATE');
        $database->exec('CREATE TABLE IF NOT EXISTS audit (customer INTEGER, event TEXT)');
        $database->exec('CREATE TABLE IF NOT EXISTS stock (product TEXT, reserved INTEGER)');
        $database->exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT)');
        // No index on order_id: what makes the history slow.
        $database->exec('CREATE TABLE IF NOT EXISTS items (order_id INTEGER, product TEXT, cents INTEGER)');
        if ((int) $database->query('SELECT count(*) FROM orders')->fetchColumn() === 0) {
            $order = $database->prepare('INSERT INTO orders (customer) VALUES (?)');
            $item = $database->prepare('INSERT INTO items VALUES (?, ?, ?)');
            for ($id = 1; $id <= self::ORDERS; ++$id) {
                $order->execute(["customer $id"]);
                for ($n = 1; $n <= self::ITEMS_PER_ORDER; ++$n) {
                    $item->execute([$id, "product $n", 100 * $n]);
                }
            }
        }
        $database->exec('COMMIT');
    }
}
