--TEST--
Keys that differ only beyond the 31 bytes that are kept are one key, cut between characters
--EXTENSIONS--
compass
--INI--
compass.cli=1
--FILE--
<?php
// Twenty keys, but all the same in their first 31 bytes: never more than one tag.
for ($i = 0; $i < 20; $i++) {
    Compass\tag(str_repeat("k", 31) . $i, "value") or print("refused\n");
}
// 30 bytes and a character of two: it does not fit, so these are the 30 bytes alone.
for ($i = 0; $i < 20; $i++) {
    Compass\tag(str_repeat("u", 30) . "é$i", "value") or print("refused\n");
}
Compass\tag(str_repeat("u", 30), "value") or print("refused\n");
// Two keys so far, six more fit.
for ($i = 0; $i < 7; $i++) {
    echo Compass\tag("key$i", "value") ? "kept" : "refused", "\n";
}
?>
--EXPECT--
kept
kept
kept
kept
kept
kept
refused
