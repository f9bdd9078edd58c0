--TEST--
Binary headers and every shape of traceparent are taken without complaint
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
$traceparents = [
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    "00", "", "-", "00-", str_repeat("-", 55), str_repeat("0", 55), "\xff\x01\n",
];
$ini = ["-d", "extension_dir=" . ini_get("extension_dir"), "-d", "extension=compass", "-d", "compass.cli=1"];
$command = [getenv("TEST_PHP_EXECUTABLE"), "-n", ...$ini, "-r", 'echo "served ", getenv("HTTP_TRACEPARENT");'];
foreach ($traceparents as $traceparent) {
    $environment = ["HTTP_TRACEPARENT" => $traceparent, "REQUEST_URI" => "/\x01\xff<!channel>"];
    $process = proc_open($command, [1 => ["pipe", "w"], 2 => ["redirect", 1]], $pipes, null, $environment);
    $output = stream_get_contents($pipes[1]);
    echo proc_close($process), " ", $output === "served $traceparent" ? "served" : "wrong: $output", "\n";
}
?>
--EXPECT--
0 served
0 served
0 served
0 served
0 served
0 served
0 served
0 served
0 served
0 served
0 served
0 served
0 served
