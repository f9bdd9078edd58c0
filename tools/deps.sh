#!/usr/bin/env bash
# Install those of the given Debian packages that are missing. Quick, and needs no root, if none is.
set -euo pipefail

missing=()
for package in "$@"; do
	status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
	[[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) -ne 0 ]]; then
	echo "These packages are missing, and installing them takes root: ${missing[*]}" >&2
	echo "Run as root: make deps" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
apt-get install --quiet=2 -o Dpkg::Use-Pty=0 --yes --no-install-recommends "${missing[@]}" </dev/null
