#!/usr/bin/env bash
# Make the tree of a Debian machine that can be booted, with PHP-FPM and nothing of Compass, unless it is there.
# usage: tools/machine-tree.sh RELEASE
#
# It is left as it is in build/machine-RELEASE: tools/boot.sh keeps what a machine writes elsewhere.
set -euo pipefail

release=$1
tree=$(cd "$(dirname "$0")/.." && pwd)/build/machine-$release
# What the service needs of Debian, and what its extension is built with.
packages=(systemd-sysv dbus php-fpm php-dev build-essential systemtap-sdt-dev
	python3-bpfcc python3-systemd python3-requests python3-rich python3-sqlparse)
# Debian 12 has pydantic 1 only.
[[ $release == bookworm ]] || packages+=(python3-pydantic python3-pydantic-settings)

[[ ! -e $tree/.packages || $(<"$tree/.packages") != "${packages[*]}" ]] || exit 0
if [[ $(id -u) -ne 0 ]]; then
	echo "Making a Debian tree takes root." >&2
	exit 1
fi
"$(dirname "$0")/deps.sh" debootstrap systemd-container
# What an earlier run left. debootstrap mounts /proc and /sys in it; its namespace has ended with it.
rm -rf --one-file-system "$tree"
mkdir -p "$tree"
(
	IFS=,
	unshare --mount --propagation private \
		debootstrap --variant=minbase --include="ca-certificates,${packages[*]}" "$release" "$tree"
)
# Each boot is that of another machine.
: >"$tree/etc/machine-id"
echo "${packages[*]}" >"$tree/.packages"
