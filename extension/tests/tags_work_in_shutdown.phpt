--TEST--
Tags and transaction can be set in destructors and shutdown functions
--EXTENSIONS--
compass
--INI--
compass.cli=1
--FILE--
<?php
class Late
{
    public function __destruct()
    {
        var_dump(Compass\transaction("destructor"));
    }
}
$late = new Late();
register_shutdown_function(function () {
    var_dump(Compass\tag("where", "shutdown function"));
});
echo "done\n";
?>
--EXPECT--
done
bool(true)
bool(true)
