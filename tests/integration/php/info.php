<?php
// What phpinfo() says about the extension.
$module = new ReflectionExtension('compass');
ob_start();
$module->info();
$text = html_entity_decode(strip_tags(str_replace('</td>', "\t", ob_get_clean())));
echo $text;
