<?php

/**
 * SPDX-License-Identifier: MIT
 *
 * What PHP code sees of Compass. gen_stub.php, which comes with PHP, makes compass_arginfo.h of it.
 *
 * @generate-function-entries
 */

namespace Compass;

/**
 * Names the route of the running request, for example "GET /product/{id}". Cut to 127 bytes; a later call
 * replaces the name.
 *
 * @return bool false if Compass is not active
 */
function transaction(string $name): bool {}

/**
 * Adds a tag to the running request: a key of up to 31 bytes and a value of up to 95, longer ones are cut.
 * A key that is there already gets the new value.
 *
 * @return bool false if Compass is not active, or if the request has 8 other tags
 */
function tag(string $key, string $value): bool {}
