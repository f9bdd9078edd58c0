<?php

declare(strict_types=1);

namespace Shop;

/** Slow by N+1 queries: one for the orders, and one more for the items of each. */
final class OrderHistory
{
    public function __construct(private readonly \PDO $database)
    {
    }

    /** @return array{page: string, orders: int, queries: int, cents: int} */
    public function show(): array
    {
        $orders = $this->database->query('SELECT id FROM orders')->fetchAll(\PDO::FETCH_COLUMN);
        $cents = 0;
        foreach ($orders as $order) {
            foreach ($this->items((int) $order) as $item) {
                $cents += (int) $item['cents'];
            }
        }
        Compass::tag('orders', (string) count($orders));

        return ['page' => 'orders', 'orders' => count($orders), 'queries' => 1 + count($orders), 'cents' => $cents];
    }

    /** @return list<array{product: string, cents: int}> */
    private function items(int $order): array
    {
        $query = $this->database->prepare('SELECT product, cents FROM items WHERE order_id = ?');
        $query->execute([$order]);

        return $query->fetchAll(\PDO::FETCH_ASSOC);
    }
}
