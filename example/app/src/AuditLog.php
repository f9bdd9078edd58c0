<?php

declare(strict_types=1);

namespace Shop;

/** Who did what. No page fails because the log cannot be written. */
final class AuditLog
{
    private const TIMEOUT_S = 1;

    /** @return bool whether it was written */
    public function write(int $customer, string $event): bool
    {
        $database = Database::connect(self::TIMEOUT_S);
        try {
            $database->exec("INSERT INTO audit (customer, event) VALUES ($customer, {$database->quote($event)})");
        } catch (\PDOException $error) {
            error_log("audit log: {$error->getMessage()}");
            return false;
        }

        return true;
    }
}
