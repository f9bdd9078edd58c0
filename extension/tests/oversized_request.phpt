--TEST--
A request whose URI and headers are longer than what is kept is served, and its environment left alone
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
// A process of its own: --ENV-- has no way to write so much text.
$environment = [
    "REQUEST_URI" => "/" . str_repeat("é", 40000),
    "HTTP_HOST" => str_repeat("h", 60000),
    "HTTP_X_REQUEST_ID" => str_repeat("\x80\xff", 30000),
    "HTTP_TRACEPARENT" => str_repeat("0", 60000),
    "SCRIPT_FILENAME" => str_repeat("/s", 30000),
];
$code = 'echo strlen(getenv("REQUEST_URI")), " ", md5(getenv("HTTP_X_REQUEST_ID")), "\n";'
    . 'var_dump(Compass\transaction("big"));';
$ini = [];
foreach (["extension_dir", "compass.cli", "compass.function_probes"] as $name) {
    array_push($ini, "-d", "$name=" . ini_get($name));
}
$command = [getenv("TEST_PHP_EXECUTABLE"), "-n", ...$ini, "-d", "extension=compass", "-r", $code];
$process = proc_open($command, [1 => ["pipe", "w"], 2 => ["redirect", 1]], $pipes, null, $environment);
echo stream_get_contents($pipes[1]);
var_dump(proc_close($process), md5($environment["HTTP_X_REQUEST_ID"]));
?>
--EXPECT--
80001 ed84b2f719bf2f51f5bf06ff9786f753
bool(true)
int(0)
string(32) "ed84b2f719bf2f51f5bf06ff9786f753"
