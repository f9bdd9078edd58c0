#!/usr/bin/env bash
# Unpack Debian packages below a directory, without installing them: no service starts, nothing gets enabled.
# A package that only depends on that of one PHP version (php-xdebug: php8.2-xdebug) brings that one along.
set -euo pipefail

root=$1
shift
[[ ! -e $root/.unpacked || $(<"$root/.unpacked") != "$*" ]] || exit 0

rm -rf "$root"
mkdir -p "$root"
archives=$(mktemp -d)
trap 'rm -rf "$archives"' EXIT
# The user whom apt downloads as must be able to write there.
chmod 777 "$archives"
apt-get update --quiet=2
for package in "$@"; do
	pattern="s/^ *Depends: \\(php[0-9.]*-${package#php-}\\)$/\\1/p"
	mapfile -t versions < <(apt-cache depends "$package" | sed -n "$pattern")
	(cd "$archives" && apt-get download --quiet=2 "$package" "${versions[@]}")
done
for archive in "$archives"/*.deb; do
	dpkg-deb --extract "$archive" "$root"
done
echo "$*" >"$root/.unpacked"
