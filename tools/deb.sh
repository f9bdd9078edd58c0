#!/usr/bin/env bash
# Build the Debian packages of one release in a clean tree of it, and have lintian judge them.
# usage: tools/deb.sh RELEASE
#
# Results are in build/deb/RELEASE, which is a repository for apt, and are kept while the files of the checkout are the
# same. The tree, build/debian-RELEASE-build, has what building takes and nothing else, and is reused. It begins as a copy
# of build/debian-RELEASE-minimal, which tools/deb-test.sh installs the packages in.
set -euo pipefail

cd "$(dirname "$0")/.."
release=$1
minimal=$PWD/build/debian-$release-minimal
export COMPASS_DEBIAN_TREE=$PWD/build/debian-$release-build
results=build/deb/$release

# Names, modes and contents of all that tools/in-debian.sh copies into the tree, and the commit, whose date gets into them.
sources() {
	git -c safe.directory='*' rev-parse HEAD
	git -c safe.directory='*' ls-files --cached --others --exclude-standard -z |
		tar --create --null --files-from=- --ignore-failed-read --sort=name --mtime=@0 --file=- 2>/dev/null | sha256sum
}

"$PWD/tools/deps.sh" debootstrap git
current=$(sources)
[[ ! -e $results/.sources || $(<"$results/.sources") != "$current" ]] || exit 0

if [[ ! -d $COMPASS_DEBIAN_TREE ]]; then
	[[ -d $minimal ]] || COMPASS_DEBIAN_TREE=$minimal tools/in-debian.sh "$release" true
	rm -rf --one-file-system "$COMPASS_DEBIAN_TREE.new"
	cp --archive --reflink=auto "$minimal" "$COMPASS_DEBIAN_TREE.new"
	mv "$COMPASS_DEBIAN_TREE.new" "$COMPASS_DEBIAN_TREE"
fi

# What Debian 12 lacks is fetched out here, with the pip of this machine: the build itself takes nothing from outside.
fetch_wheels() {
	local wanted
	wanted=$(sha256sum packaging/deb/requirements.txt)
	[[ ! -e build/wheels/.fetched || $(<build/wheels/.fetched) != "$wanted" ]] || return 0
	rm -rf build/wheels
	.venv/bin/pip download --quiet --require-hashes --no-deps --only-binary=:all: --implementation=cp \
		--python-version=3.11 --platform=manylinux2014_x86_64 --dest=build/wheels \
		--requirement=packaging/deb/requirements.txt
	echo "$wanted" >build/wheels/.fetched
}

# The Build-Depends of packaging/deb/control, and lintian.
tools/in-debian.sh "$release" tools/deps.sh build-essential debhelper dh-php dh-python php-dev pybuild-plugin-pyproject \
	python3-pip python3-setuptools python3-venv systemtap-sdt-dev lintian

inside=$COMPASS_DEBIAN_TREE/src/build
rm -rf "$inside"
mkdir -p "$inside"
if [[ $release == bookworm ]]; then
	fetch_wheels
	cp -r build/wheels "$inside"
fi

# The same commit gives the same packages.
SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct) \
	tools/in-debian.sh "$release" tools/deb-in-tree.sh

rm -rf "$results"
mkdir -p "$results"
cp "$inside"/deb/* "$results"
echo "$current" >"$results/.sources"
ls "$results"/*.deb
