#!/usr/bin/env bash
# Run the extension's PHPTs on one PHP version, with build/php-VERSION/modules/compass.so.
# usage: tools/phpt.sh VERSION
set -euo pipefail

cd "$(dirname "$0")/.."
version=$1
php=$(command -v "php$version")
runner=$("php-config$version" --prefix)/lib/php/$("php-config$version" --phpapi)/build/run-tests.php
extension=$PWD/build/php-$version/modules/compass.so

# PHP's runner leaves its logs beside the tests, so it gets a copy of them.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r extension/tests/. "$copy"

export NO_INTERACTION=1 REPORT_EXIT_STATUS=1 TEST_PHP_EXECUTABLE=$php
status=0
"$php" -n "$runner" -n -q --show-diff -d "extension=$extension" "$copy" | tee "$copy/summary" || status=$?
if [[ $status -ne 0 ]]; then
	exit "$status"
fi
if [[ ${COMPASS_FORBID_SKIP:-} == 1 ]] && ! grep -Eq '^Tests skipped *: +0 ' "$copy/summary"; then
	echo "A PHPT was skipped, and COMPASS_FORBID_SKIP=1." >&2
	exit 1
fi
