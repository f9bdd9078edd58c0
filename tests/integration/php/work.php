<?php
// Does for ?ms= milliseconds what ?do= says and answers what PHP itself measured.

// Until so much processor time is used, however busy the machine is.
function spin(float $until): int
{
    $rounds = 0;
    while (cpu_ns() < $until) {
        $rounds++;
    }
    return $rounds;
}

function cpu_ns(): int
{
    $usage = getrusage();
    return (($usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec']) * 1000000
        + $usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) * 1000;
}

$started = hrtime(true);
$computed = cpu_ns();
$ms = (int) ($_GET['ms'] ?? 0);
switch ($_GET['do'] ?? 'sleep') {
    case 'sleep':
        usleep($ms * 1000);
        break;
    case 'burn':
        spin($computed + $ms * 1e6);
        break;
    case 'memory':
        $block = str_repeat('x', (int) $_GET['bytes']);
        break;
    case 'status':
        http_response_code((int) $_GET['status']);
        usleep($ms * 1000);
        break;
    case 'wait':
        while (!file_exists($_GET['until'])) {
            clearstatcache();
            usleep(10000);
        }
        break;
    case 'finish':
        echo json_encode(['early' => true]);
        fastcgi_finish_request();
        usleep($ms * 1000);
        exit;
    case 'throw':
        usleep($ms * 1000);
        throw new RuntimeException('wanted');
    case 'exit':
        usleep($ms * 1000);
        exit('left');
}
if (isset($_GET['transaction'])) {
    Compass\transaction($_GET['transaction']);
    Compass\tag('plan', $_GET['plan'] ?? 'free');
}
echo json_encode([
    'elapsed_ns' => hrtime(true) - $started,
    'cpu_ns' => cpu_ns() - $computed,
    'memory_peak' => memory_get_peak_usage(),
    'pid' => getmypid(),
]);
