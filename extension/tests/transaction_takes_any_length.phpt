--TEST--
Compass\transaction() accepts text of any length and bytes of any kind
--EXTENSIONS--
compass
--INI--
compass.cli=1
--FILE--
<?php
$names = [
    "GET /product/{id}",
    str_repeat("x", 127),
    str_repeat("x", 128),
    str_repeat("x", 1000000),
    str_repeat("é", 64),
    "x" . str_repeat("日本", 100),
    str_repeat("\u{1F9ED}", 40),
    str_repeat("\x80", 500),
    "\xff\xfe\x01\n\x1b[31m",
];
foreach ($names as $name) {
    $before = md5($name);
    echo Compass\transaction($name) ? "kept" : "refused", md5($name) === $before ? "" : " and changed", "\n";
}
?>
--EXPECT--
kept
kept
kept
kept
kept
kept
kept
kept
kept
