<?php
// Included by hot.php.
Culprit::run($what, $ms);
