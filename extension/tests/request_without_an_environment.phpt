--TEST--
A request with neither REQUEST_URI nor any header is served
--EXTENSIONS--
compass
--INI--
compass.cli=1
compass.function_probes=1
--ENV--
REQUEST_URI=
SCRIPT_NAME=
HTTP_HOST=
HTTP_X_REQUEST_ID=
HTTP_TRACEPARENT=
--FILE--
<?php
putenv("REQUEST_URI");
echo strrev("devres"), "\n";
var_dump(Compass\transaction("nothing known"));
?>
--EXPECT--
served
bool(true)
