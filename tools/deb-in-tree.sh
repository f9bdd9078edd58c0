#!/usr/bin/env bash
# What tools/deb.sh has done inside of a Debian tree, with the checkout in /src: build the packages there, and run lintian.
set -euo pipefail

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
case $codename in
	bookworm) php=8.2 revision=1~deb12u1 ;;
	trixie) php=8.4 revision=1~deb13u1 ;;
	*)
		echo "Debian $codename is not known here: say in tools/deb-in-tree.sh which PHP it has." >&2
		exit 1
		;;
esac
version=$(sed -En 's/^__version__ = "(.*)"$/\1/p' /src/compassd/__init__.py)

# Paths get into what is built, so they have to be the same every time.
source=/build/compassd-$version
rm -rf /build
mkdir -p /build
cp -r /src "$source"
rm -r "$source/build"
cp -r /src/packaging/deb "$source/debian"
[[ ! -d /src/build/wheels ]] || cp -r /src/build/wheels "$source/debian"
cd "$source/debian"
for file in *X.Y*; do
	mv "$file" "${file/X.Y/$php}"
done
sed -i "s/X\.Y/$php/g" control "php$php"-*
cp ../packaging/systemd/compassd.service ../packaging/systemd/compassd.sysusers .
cat >changelog <<END
compassd ($version-$revision) $codename; urgency=medium

  * What is new is in changelog.gz.

 -- The Compass developers <compass@example.org>  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
END

cd ..
dpkg-buildpackage --build=binary --no-sign
lintian --fail-on error,warning --allow-root --color never ../*.changes
mkdir /src/build/deb
cp ../*.deb ../*.buildinfo ../*.changes /src/build/deb
# With this the directory is a repository for apt.
cd /src/build/deb
dpkg-scanpackages . >Packages
