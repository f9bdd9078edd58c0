--TEST--
A request whose URI and headers are longer than what is kept is served, and its environment left alone
--EXTENSIONS--
compass
--FILE--
<?php
require "own_process.inc";

$environment = [
    "REQUEST_URI" => "/" . str_repeat("é", 40000),
    "HTTP_HOST" => str_repeat("h", 60000),
    "HTTP_X_REQUEST_ID" => str_repeat("\x80\xff", 30000),
    "HTTP_TRACEPARENT" => str_repeat("0", 60000),
    "SCRIPT_FILENAME" => str_repeat("/s", 30000),
];
$code = 'echo strlen(getenv("REQUEST_URI")), " ", md5(getenv("HTTP_X_REQUEST_ID")), "\n";'
    . 'var_dump(Compass\transaction("big"));';
[$status, $output] = own_process($code, $environment);
echo $output, $status, "\n";
?>
--EXPECT--
80001 ed84b2f719bf2f51f5bf06ff9786f753
bool(true)
0
