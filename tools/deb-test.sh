#!/usr/bin/env bash
# Put the packages of one release, which tools/deb.sh has built, through their paces in a minimal tree of it that is as new.
# usage: tools/deb-test.sh RELEASE
set -euo pipefail

cd "$(dirname "$0")/.."
release=$1
export COMPASS_DEBIAN_TREE=$PWD/build/debian-$release-minimal
rm -rf "$COMPASS_DEBIAN_TREE/src/build"
mkdir -p "$COMPASS_DEBIAN_TREE/src/build"
cp -r "build/deb/$release" "$COMPASS_DEBIAN_TREE/src/build/deb"
tools/in-debian.sh --throw-away "$release" tests/deb.sh
