#!/usr/bin/env bash
# Make the tree of a Debian machine that can be booted, with nginx, PHP-FPM and nothing of Compass, unless it is there.
# usage: tools/machine-tree.sh RELEASE
#
# It is left as it is in build/machine-RELEASE: tools/boot.sh keeps what a machine writes elsewhere.
set -euo pipefail

release=$1
tree=$(cd "$(dirname "$0")/.." && pwd)/build/machine-$release
# A web server as Debian sets it up, and what talks to it.
packages=(systemd-sysv dbus ca-certificates curl nginx php-fpm python3)
# Fetched and not installed: what Compass and Ansible depend on, so that a machine can have them without a network.
fetched=(procps python3-apt python3-bpfcc python3-requests python3-rich python3-sqlparse python3-systemd)
# Debian 12 has pydantic 1 only.
[[ $release == bookworm ]] || fetched+=(python3-pydantic python3-pydantic-settings)
wanted="${packages[*]} ${fetched[*]}"

[[ ! -e $tree/.packages || $(<"$tree/.packages") != "$wanted" ]] || exit 0
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
		debootstrap --variant=minbase --include="${packages[*]}" "$release" "$tree"
)
cp --dereference /etc/resolv.conf "$tree/etc/resolv.conf"
chroot "$tree" apt-get install --quiet=2 --yes --no-install-recommends --download-only "${fetched[@]}"
# Machines share the network of the one they run on: nothing may listen on a port.
rm "$tree/etc/nginx/sites-enabled/default"
# Each boot is that of another machine.
: >"$tree/etc/machine-id"
echo "$wanted" >"$tree/.packages"
