<?php

declare(strict_types=1);

namespace Shop;

/** Finds the page for a path, measures its work and answers with JSON. */
final class FrontController
{
    /** @param array<string, callable(): array<string, mixed>> $pages by path */
    public function __construct(private readonly array $pages)
    {
    }

    public function handle(string $method, string $uri): void
    {
        $path = explode('?', $uri, 2)[0];
        $page = $this->pages[$path] ?? null;
        if ($page === null) {
            $this->answer(404, ['error' => 'no such page']);
            return;
        }

        Compass::transaction("$method $path");
        $start = hrtime(true);
        // What no page catches ends here: status 500, and a body that says what happened.
        set_exception_handler(function (\Throwable $error) use ($method, $path, $start): void {
            error_log("$method $path: {$error->getMessage()}");
            $this->answer(500, ['error' => $error->getMessage()] + $this->measured($start));
        });
        $this->answer(200, $page() + $this->measured($start));
    }

    /** @return array{work_ns: int, work_ms: float} */
    private function measured(int $start): array
    {
        $work = hrtime(true) - $start;

        return ['work_ns' => $work, 'work_ms' => $work / 1e6];
    }

    /** @param array<string, mixed> $body */
    private function answer(int $status, array $body): void
    {
        http_response_code($status);
        header('Content-Type: application/json');
        echo json_encode($body, JSON_THROW_ON_ERROR), "\n";
    }
}
