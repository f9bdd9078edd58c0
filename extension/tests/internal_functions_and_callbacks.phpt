--TEST--
Internal functions and their callbacks give what they give without Compass
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--FILE--
<?php
$list = [3, 1, 2];
usort($list, fn($a, $b) => $a <=> $b);
echo implode(array_map(null, $list)), "\n";
echo implode(array_map(fn($n) => array_sum(array_filter(range(1, $n), fn($m) => $m % 2)), $list)), "\n";
echo preg_replace_callback('/\d/', fn($match) => call_user_func("strrev", "<" . $match[0]), "a1b2"), "\n";
echo call_user_func_array([new ArrayObject([1, 2, 3]), "count"], []), "\n";
var_dump(is_callable("nothing"), array_walk($list, function (&$value, $key, $by) { $value *= $by; }, 10));
echo implode(",", $list), "\n";
echo iterator_count(new CallbackFilterIterator(new ArrayIterator(range(1, 9)), fn($n) => $n > 3)), "\n";
try {
    array_combine([1], [1, 2]);
} catch (ValueError $error) {
    echo $error->getMessage(), "\n";
}
echo json_encode(new class implements JsonSerializable {
    public function jsonSerialize(): mixed
    {
        return ["deep" => array_map("ucfirst", ["a"])];
    }
}), "\n";
ob_start(fn($text) => strtoupper($text));
echo "buffered\n";
ob_end_flush();
?>
--EXPECT--
123
114
a1<b2<
3
bool(false)
bool(true)
10,20,30
6
array_combine(): Argument #1 ($keys) and argument #2 ($values) must have the same number of elements
{"deep":["A"]}
BUFFERED
