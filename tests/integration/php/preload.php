<?php
// For opcache.preload: what hot.php needs.

require_once __DIR__ . '/culprit.php';
require_once __DIR__ . '/shape.php';
require_once __DIR__ . '/shop.php';
