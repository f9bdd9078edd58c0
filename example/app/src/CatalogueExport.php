<?php

declare(strict_types=1);

namespace Shop;

/** Hungry: holds the whole catalogue in memory instead of writing row by row. */
final class CatalogueExport
{
    private const ROWS = 768;
    private const ROW_BYTES = 64 * 1024;

    /** @return array{page: string, rows: int, peak_bytes: int} */
    public function collect(): array
    {
        $rows = [];
        for ($id = 1; $id <= self::ROWS; ++$id) {
            $rows[] = $this->row($id);
        }

        return ['page' => 'export', 'rows' => count($rows), 'peak_bytes' => memory_get_peak_usage()];
    }

    private function row(int $id): string
    {
        return str_pad("product $id;", self::ROW_BYTES, '.');
    }
}
