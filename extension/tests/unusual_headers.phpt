--TEST--
Binary headers and every shape of traceparent are taken without complaint
--EXTENSIONS--
compass
--FILE--
<?php
require "own_process.inc";

$traceparents = [
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    "00", "", "-", "00-", str_repeat("-", 55), str_repeat("0", 55), "\xff\x01\n",
];
$code = 'echo "served ", getenv("HTTP_TRACEPARENT");';
foreach ($traceparents as $traceparent) {
    $environment = ["HTTP_TRACEPARENT" => $traceparent, "REQUEST_URI" => "/\x01\xff<!channel>"];
    [$status, $output] = own_process($code, $environment);
    echo $status, " ", $output === "served $traceparent" ? "served" : "wrong: $output", "\n";
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
