<?php
// A seeded culprit in a shape of code: ?shape= is how it is called, ?culprit= what takes the time.
// Answers what PHP itself saw of it.

require_once __DIR__ . '/culprit.php';
require_once __DIR__ . '/shape.php';
require_once __DIR__ . '/shop.php';

if (isset($_GET['reset'])) {
    opcache_reset();
}
Shape::named($_GET['shape'], $_GET['culprit'], (int) $_GET['ms']);
echo json_encode(['ns' => Culprit::$ns, 'waits' => Culprit::$waits, 'php' => PHP_VERSION_ID]);
