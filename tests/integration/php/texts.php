<?php
// Waits in one function after the other, ?for= a list of them, each in a function of its own.

function in_pdo_query(PDO $database): void
{
    $database->query("SELECT * FROM product WHERE name = 'geheim-4711'")->fetchAll();
}

function in_pdo_exec(PDO $database): void
{
    $database->exec("UPDATE product SET name = 'geheim-4711'");
}

function in_pdo_statement(PDO $database): void
{
    // Prepared before the lock was taken.
    $GLOBALS['statement']->execute(['name' => 'geheim-4711']);
    $GLOBALS['statement']->fetchAll();
}

function in_sqlite3_query(string $file): void
{
    $database = new SQLite3($file);
    $database->busyTimeout(30000);
    $database->query('SELECT count(*) FROM product WHERE id = 4711')->fetchArray();
}

function in_file_get_contents(string $url): void
{
    file_get_contents(str_replace('http://', 'http://user:geheim-4711@', $url) . '?token=geheim-4711');
}

function in_fopen(string $file): void
{
    fopen($file, 'r');
}

function in_fgets(string $file): void
{
    fgets($GLOBALS['stream']);
}

function in_flock(string $file): void
{
    flock(fopen($file, 'c'), LOCK_EX);
}

function in_stream_socket_client(string $address): void
{
    @stream_socket_client($address);
}

function in_redis_get(string $port): void
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', (int) $port);
    $redis->get('cart:4711:total');
}

function in_redis_auth(string $port): void
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', (int) $port);
    $redis->auth('geheim-4711');
}

$argument = $_GET['argument'];
$for = $_GET['for'];
if (str_starts_with($for, 'in_pdo')) {
    $argument = new PDO('sqlite:' . $argument);
    $argument->setAttribute(PDO::ATTR_TIMEOUT, 30);
    if ($for === 'in_pdo_statement') {
        $statement = $argument->prepare('SELECT * FROM product WHERE name = :name');
    }
    touch($_GET['ready']);
    while (file_exists($_GET['ready'])) {
        usleep(1000);
    }
}
if ($for === 'in_fgets') {
    $stream = fopen($argument, 'r+');
}
$for($argument);
