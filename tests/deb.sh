#!/usr/bin/env bash
# Install, upgrade, downgrade, remove and purge the packages. Runs inside a minimal Debian tree, as root, without systemd:
# see tools/deb-test.sh.
set -euo pipefail

cd "$(dirname "$0")/../build/deb"
export DEBIAN_FRONTEND=noninteractive

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# Without a network: what they depend on is there, and nothing else may be asked for.
apt_offline() {
	unshare --net apt-get --quiet=2 -o Dpkg::Use-Pty=0 --yes --no-install-recommends "$@" </dev/null
}

# Everything but what apt and dpkg keep for themselves, caches, and directories that phpenmod makes when it needs them.
files() {
	find / -xdev \( -path /src -o -path /tmp -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \
		-o -path /var/log \) -prune -o ! \( -type d -path '/var/lib/php/modules/*' \) -print | sort
}

# Whether what apt has just done, in /tmp/log, restarts php-fpm.
restarts_php() {
	grep --quiet "Processing triggers for php$php-fpm" /tmp/log
}

# The same package with another version, and with one more line in a file of configuration.
repack() {
	dpkg-deb --raw-extract "$1" /tmp/repack
	sed -i "s/^Version: .*/&+next/" /tmp/repack/DEBIAN/control
	[[ ! -d /tmp/repack/etc/compassd ]] || echo "# new default" | tee -a /tmp/repack/etc/compassd/*.toml >/dev/null
	dpkg-deb --build /tmp/repack "/tmp/next_$(basename "$1")" >/dev/null
	rm -r /tmp/repack
}

debs=(./compassd_*.deb ./php*-compass_*.deb)
[[ ${#debs[@]} -eq 2 ]] || fail "expected two packages: ${debs[*]}"
extension=$(dpkg-deb --field ./php*-compass_*.deb Package)
php=${extension#php}
php=${php%-compass}

apt-get update --quiet=2
apt-get install --quiet=2 -o Dpkg::Use-Pty=0 --yes --no-install-recommends "php$php-fpm" "php$php-cli" </dev/null
apt-get satisfy --quiet=2 -o Dpkg::Use-Pty=0 --yes --no-install-recommends \
	"$(dpkg-deb --field ./compassd_*.deb Depends)" </dev/null
files >/tmp/before

echo "::: install"
apt_offline install "${debs[@]}" | tee /tmp/log
restarts_php || fail "the extension is installed, and php-fpm not restarted"
compassd --version
compassd check
compassd test /usr/share/doc/compassd/examples/rules.example.test.toml
compassd schema rules | cmp - /usr/share/compassd/rules.schema.json
"php-fpm$php" -m 2>&1 | grep -x compass || fail "php-fpm does not load the extension"
! "php$php" -m 2>&1 | grep -ix compass || fail "php-cli loads the extension"
getent passwd compassd || fail "there is no user compassd"
journalctl --list-catalog 2>/dev/null | grep Compass: >/dev/null || fail "the journal does not know the catalog"
[[ $(systemctl is-enabled compassd.service) == enabled ]] || fail "the service is not enabled"
systemd-analyze verify --man=no compassd.service
# A service that may not write there starts as quickly.
modules=$(dpkg --listfiles compassd | grep '/compassd/__main__.py$')
compgen -G "$(dirname "$modules")/__pycache__/__main__.*.pyc" >/dev/null || fail "the modules are not compiled"
runuser -u compassd -- compassd check

echo "::: upgrade, downgrade, reinstall"
for deb in "${debs[@]}"; do
	repack "$deb"
done
echo '# mine' >>/etc/compassd/rules.toml
install -d -o compassd -g compassd -m 700 /var/lib/compassd
echo kept >/var/lib/compassd/state
for step in "install /tmp/next_*.deb" "install --allow-downgrades ${debs[*]}" "install --reinstall ${debs[*]}"; do
	# shellcheck disable=SC2086 # words and globs are meant
	apt_offline -o Dpkg::Options::=--force-confold $step | tee /tmp/log
	restarts_php || fail "$step: php-fpm still runs the old extension"
	[[ $(tail -n 1 /etc/compassd/rules.toml) == "# mine" ]] || fail "$step: the rules were replaced"
	[[ $(cat /var/lib/compassd/state) == kept ]] || fail "$step: the state is gone"
	compassd check
done
phpdismod -s fpm compass
apt_offline install --reinstall "${debs[@]}"
! "php-fpm$php" -m 2>&1 | grep -x compass || fail "enabled again what the administrator had disabled"
phpenmod -s fpm compass

echo "::: remove, install again"
apt_offline remove compassd | tee /tmp/log
! restarts_php || fail "removing compassd restarts php-fpm"
apt_offline remove "$extension" | tee /tmp/log
restarts_php || fail "php-fpm still runs the extension"
! "php-fpm$php" -m 2>&1 | grep -i compass || fail "php-fpm still loads, or misses, the extension"
[[ -e /etc/compassd/rules.toml && -e /var/lib/compassd/state ]] || fail "removing did not keep configuration and state"
apt_offline install "${debs[@]}"
[[ $(tail -n 1 /etc/compassd/rules.toml) == "# mine" ]] || fail "the rules were replaced"
"php-fpm$php" -m 2>&1 | grep -x compass || fail "php-fpm does not load the extension again"

echo "::: purge"
touch /etc/compassd/more.toml
apt_offline purge compassd "$extension"
files >/tmp/after
diff /tmp/before /tmp/after || fail "left behind, or taken along"
! "php-fpm$php" -m 2>&1 | grep -i compass || fail "php-fpm still loads, or misses, the extension"
echo "::: all is well"
