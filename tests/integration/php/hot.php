<?php
// One seeded culprit in several shapes of code; ?shape= is how it is called, ?culprit= what takes the time.
// Answers how long PHP itself saw the culprit take.

final class Culprit
{
    public static int $ns = 0;

    public static function run(string $what, int $ms): void
    {
        $started = hrtime(true);
        match ($what) {
            'sleep' => usleep($ms * 1000),
            'burn' => self::burn($ms),
            'regex' => self::regex($ms),
            'sqlite' => self::sqlite($ms),
            'flock' => self::flock($ms),
            'http' => file_get_contents($_GET['url']),
        };
        self::$ns += hrtime(true) - $started;
    }

    private static function burn(int $ms): void
    {
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            hash('sha256', str_repeat('x', 100000));
        }
    }

    private static function regex(int $ms): void
    {
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            preg_match('/(a|b|ab)*c/', str_repeat('ab', 5000) . 'd');
        }
    }

    private static function sqlite(int $ms): void
    {
        $database = new PDO('sqlite:' . $_GET['database']);
        $database->setAttribute(PDO::ATTR_TIMEOUT, 30);
        $database->query('SELECT count(*) FROM product')->fetchAll();
    }

    private static function flock(int $ms): void
    {
        flock(fopen($_GET['file'], 'c'), LOCK_EX);
    }
}

class Shape
{
    public function __construct(private bool $inDestructor = false)
    {
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
        if ($this->inDestructor) {
            Culprit::run($_GET['culprit'], (int) $_GET['ms']);
        }
    }
}

if (isset($_GET['reset'])) {
    opcache_reset();
}
$what = $_GET['culprit'];
$ms = (int) $_GET['ms'];
$shape = new Shape();
switch ($_GET['shape']) {
    case 'method':
        $shape->method($what, $ms);
        break;
    case 'closure':
        (function () use ($what, $ms): void {
            Culprit::run($what, $ms);
        })();
        break;
    case 'callback':
        array_map(fn (int $n) => Culprit::run($what, $ms), [1]);
        break;
    case 'generator':
        foreach ($shape->generator($what, $ms) as $_) {
        }
        break;
    case 'fiber':
        $fiber = new Fiber(function () use ($what, $ms): void {
            Fiber::suspend();
            Culprit::run($what, $ms);
        });
        $fiber->start();
        $fiber->resume();
        break;
    case 'recursion':
        $shape->recursion((int) ($_GET['depth'] ?? 60), $what, $ms);
        break;
    case 'magic':
        $shape->anything($what, $ms);
        break;
    case 'eval':
        eval('Culprit::run($what, $ms);');
        break;
    case 'include':
        include __DIR__ . '/hot_include.php';
        break;
    case 'destructor':
        $doomed = new Shape(true);
        unset($doomed);
        break;
}
echo json_encode(['culprit_ns' => Culprit::$ns]);
