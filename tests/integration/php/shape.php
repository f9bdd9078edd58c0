<?php
// The shapes of code in which a culprit is called.

class Shape
{
    public function __construct(private ?Closure $atTheEnd = null)
    {
    }

    public static function named(string $shape, string $what, int $ms): void
    {
        match ($shape) {
            'method' => (new self())->method($what, $ms),
            'closure' => self::closure($what, $ms)(),
            'callback' => array_map(fn (int $n) => Culprit::run($what, $ms), [1]),
            'generator' => iterator_count((new self())->generator($what, $ms)),
            'fiber' => self::fiber($what, $ms),
            'recursion' => (new self())->recursion((int) ($_GET['depth'] ?? 60), $what, $ms),
            'magic' => (new self())->anything($what, $ms),
            'eval' => eval('Culprit::run($what, $ms);'),
            'include' => include __DIR__ . '/hot_include.php',
            'destructor' => new self(self::closure($what, $ms)),
        };
    }

    public function method(string $what, int $ms): void
    {
        Culprit::run($what, $ms);
    }

    public function generator(string $what, int $ms): Generator
    {
        yield 1;
        Culprit::run($what, $ms);
        yield 2;
    }

    public function recursion(int $depth, string $what, int $ms): void
    {
        if ($depth > 0) {
            $this->recursion($depth - 1, $what, $ms);
        } else {
            Culprit::run($what, $ms);
        }
    }

    public function __call(string $name, array $arguments): void
    {
        Culprit::run(...$arguments);
    }

    public function __destruct()
    {
        if ($this->atTheEnd !== null) {
            ($this->atTheEnd)();
        }
    }

    private static function closure(string $what, int $ms): Closure
    {
        return function () use ($what, $ms): void {
            Culprit::run($what, $ms);
        };
    }

    private static function fiber(string $what, int $ms): void
    {
        $fiber = new Fiber(function () use ($what, $ms): void {
            Fiber::suspend();
            Culprit::run($what, $ms);
        });
        $fiber->start();
        $fiber->resume();
    }
}
