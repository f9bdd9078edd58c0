#!/usr/bin/env bash
# Run a command in a copy of this checkout on another Debian release, under this machine's kernel.
# usage: tools/in-debian.sh [--throw-away] RELEASE COMMAND...
#
# The release lives in build/debian-RELEASE (COMPASS_DEBIAN_TREE overrides) and is reused; what the command changes in
# it is kept, or with --throw-away forgotten. It is mounted and entered
# in a mount namespace of its own: whatever ends this script, no mount is left, and removing the tree later can
# never reach through one. Process ids stay the machine's, as eBPF reports those.
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
throw_away=
if [[ $1 == --throw-away ]]; then
	throw_away=yes
	shift
fi
release=$1
shift
tree=${COMPASS_DEBIAN_TREE:-$checkout/build/debian-$release}

if [[ $(id -u) -ne 0 ]]; then
	echo "Entering a Debian tree takes root." >&2
	exit 1
fi

create_tree() {
	mkdir -p "$(dirname "$tree")"
	local new=$tree.new
	# What an interrupted run left. debootstrap mounts /proc and /sys in it; its namespace has ended with it.
	rm -rf --one-file-system "$new"
	unshare --mount --propagation private \
		debootstrap --variant=minbase --include=make,ca-certificates "$release" "$new"
	# Packages must not start their services here: they would be this machine's.
	printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
	chmod +x "$new/usr/sbin/policy-rc.d"
	mv "$new" "$tree"
}

copy_checkout() {
	# Outside the tree's /build, so that the extension and other results survive from run to run.
	mkdir -p "$tree/src"
	(
		cd "$checkout"
		git -c safe.directory='*' ls-files --cached --others --exclude-standard -z |
			while IFS= read -r -d '' file; do
				# A file may be deleted and not yet committed.
				[[ -e $file ]] && printf '%s\0' "$file"
			done | tar --create --null --files-from=- --file=-
	) | (
		cd "$tree/src"
		find . -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
		tar --extract --no-same-owner --file=-
	)
}

"$checkout/tools/deps.sh" debootstrap git
[[ -d $tree ]] || create_tree
copy_checkout
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --propagation private bash -euc '
	tree=$1
	throw_away=$2
	shift 2
	# pivot_root and not chroot: who enters a namespace made in here (lab/journald.py) lands at its root, which has
	# to be the tree. For that the tree must be a mount.
	if [[ $throw_away ]]; then
		changes=$(mktemp -d)
		mount -t tmpfs tmpfs "$changes"
		mkdir "$changes/upper" "$changes/work"
		mount -t overlay -o "lowerdir=$tree,upperdir=$changes/upper,workdir=$changes/work" overlay "$tree"
		umount --lazy "$changes"
		rmdir "$changes"
	else
		mount --bind "$tree" "$tree"
	fi
	mount --rbind /proc "$tree/proc"
	mount --rbind /sys "$tree/sys"
	mount --rbind /dev "$tree/dev"
	mount -t tmpfs tmpfs "$tree/tmp"
	mount -t tmpfs tmpfs "$tree/run"
	cp --dereference /etc/resolv.conf "$tree/etc/resolv.conf"
	cd "$tree"
	pivot_root . mnt
	umount --lazy /mnt
	exec env --chdir=/src HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
' in-debian "$tree" "$throw_away" "$@"
