<?php

declare(strict_types=1);

namespace Shop;

/** Slow by waiting for itself: it writes to the audit log, over another connection, within its transaction. */
final class Cart
{
    private const CUSTOMER = 4711;

    public function __construct(private readonly \PDO $database, private readonly AuditLog $log)
    {
    }

    /** @return array{page: string, logged: bool} */
    public function add(): array
    {
        Compass::tag('product', 'compass');
        $this->database->beginTransaction();
        $this->database->exec("UPDATE stock SET reserved = reserved + 1 WHERE product = 'compass'");
        $logged = $this->log->write(self::CUSTOMER, 'cart.add');
        $this->database->commit();

        return ['page' => 'cart', 'logged' => $logged];
    }
}
