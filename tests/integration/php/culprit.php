<?php
// What takes the time of a request, one seeded culprit after another. "culprit: NAME" marks the line that is to blame.

final class Culprit
{
    public static int $ns = 0;
    public static int $waits = 0;

    // Measures what it runs by PHP's own clock, and counts its waits: voluntary context switches.
    public static function run(string $what, int $ms): void
    {
        $waits = getrusage()['ru_nvcsw'];
        $started = hrtime(true);
        match ($what) {
            'sleep' => usleep($ms * 1000), // culprit: sleep
            'http' => file_get_contents($_GET['url']), // culprit: http
            'queries' => (new Shop())->page((int) ($_GET['n'] ?? 212)),
            default => self::$what($ms),
        };
        self::$ns += hrtime(true) - $started;
        self::$waits += getrusage()['ru_nvcsw'] - $waits;
    }

    private static function burn(int $ms): void
    {
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            hash('sha256', str_repeat('x', 100000)); // culprit: burn
        }
    }

    // Without a call: PHP's own instructions only.
    private static function spin(int $ms): void
    {
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            for ($i = 0; $i < 100000; $i++) {
                $sum = ($sum ?? 0) + $i * $i % 7;
            }
        }
    }

    private static function regex(int $ms): void
    {
        $almost = str_repeat('a', 30) . '!';
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            preg_match('/^(a+)+$/', $almost); // culprit: regex
        }
    }

    // A large graph of live objects, gone through again and again.
    private static function collect(int $ms): void
    {
        gc_disable();
        $first = $node = new Link();
        for ($i = 0; $i < 20000; $i++) {
            $node = $node->next = new Link();
        }
        $node->next = $first;
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            // A possible root is what lost one of several references.
            $another = $first;
            unset($another);
            gc_collect_cycles(); // culprit: collect
        }
        $node->next = null;
    }

    // Garbage in cycles, which PHP collects by itself when there is much of it.
    private static function litter(int $ms): void
    {
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            for ($i = 0; $i < 20000; $i++) {
                $link = new Link();
                $link->next = $link;
            }
        }
    }

    // Garbage whose destructors take their time, collected by PHP itself.
    private static function lateDestructors(int $ms): void
    {
        for ($i = 0; $i < 4; $i++) {
            $late = new LateLink($ms * 250);
            $late->next = $late;
        }
        unset($late);
        $runs = gc_status()['runs'];
        while (gc_status()['runs'] === $runs) {
            $link = new Link();
            $link->next = $link;
        }
    }

    private static function sqlite(int $ms): void
    {
        $database = new PDO('sqlite:' . $_GET['database']);
        $database->setAttribute(PDO::ATTR_TIMEOUT, 30);
        $database->query('SELECT count(*) FROM product')->fetchAll(); // culprit: sqlite
    }

    private static function flock(int $ms): void
    {
        flock(fopen($_GET['file'], 'c'), LOCK_EX); // culprit: flock
    }

    private static function curl(int $ms): void
    {
        $curl = curl_init($_GET['url']);
        curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
        curl_exec($curl); // culprit: curl
    }

    // From a pipe into which somebody writes a line from time to time.
    private static function lines(int $ms): void
    {
        $pipe = fopen($_GET['file'], 'r');
        while (fgets($pipe) !== false); // culprit: lines
    }

    private static function fsync(int $ms): void
    {
        $file = fopen($_GET['file'], 'w');
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            fwrite($file, 'an order');
            fsync($file); // culprit: fsync
        }
    }

    // A file that is in memory: it costs the processor only.
    private static function read(int $ms): void
    {
        $until = hrtime(true) + $ms * 1000000;
        while (hrtime(true) < $until) {
            file_get_contents($_GET['file']); // culprit: read
        }
    }
}

class Link
{
    public ?Link $next = null;
}

final class LateLink extends Link
{
    public function __construct(private int $us)
    {
    }

    public function __destruct()
    {
        usleep($this->us); // culprit: lateDestructors
    }
}
