--TEST--
Includes, eval and code outside functions run as without Compass
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
$path = __DIR__ . "/includes_and_eval.inc";
file_put_contents($path, '<?php return ($depth ?? 0) < 30 ? (function () use (&$path, $depth) { $depth++; return include $path; })() : "bottom $depth";');
$depth = 0;
echo include $path, "\n";
echo eval('return eval("return strrev(\'lave\');");'), "\n";
try {
    eval('throw new Exception("from eval");');
} catch (Exception $error) {
    echo $error->getMessage(), "\n";
}
try {
    eval('this is no PHP');
} catch (ParseError $error) {
    echo "parse error\n";
}
var_dump(@include "does_not_exist.inc");
?>
--CLEAN--
<?php
unlink(__DIR__ . "/includes_and_eval.inc");
?>
--EXPECT--
bottom 30
eval
from eval
parse error
bool(false)
