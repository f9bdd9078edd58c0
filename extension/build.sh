#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds the extension outside its source directory and prints the path of compass.so as its last line.
# Cheap to call again: copies what has changed and leaves the rest to make.
set -eu

usage() {
    echo "usage: ${0##*/} [--php-config PATH | --version X.Y] [--always-armed] OUTDIR" >&2
    exit 2
}

php_config=php-config
configure_option=--enable-compass
outdir=
while [ $# -gt 0 ]; do
    case $1 in
        --php-config) [ $# -ge 2 ] || usage; php_config=$2; shift ;;
        --version) [ $# -ge 2 ] || usage; php_config=php-config$2; shift ;;
        --always-armed) configure_option=--enable-compass-always-armed ;;
        -*) usage ;;
        *) [ -z "$outdir" ] || usage; outdir=$1 ;;
    esac
    shift
done
[ -n "$outdir" ] || usage

php_config=$(command -v "$php_config") || {
    echo "php-config not found: install phpX.Y-dev, or name it with --php-config" >&2
    exit 1
}
# Debian's phpize8.2 belongs to php-config8.2; both may be links that an administrator switches.
php_config=$(readlink -f "$php_config")
phpize=$(dirname "$php_config")/$(basename "$php_config" | sed 's/php-config/phpize/')

source=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$outdir/tests"
outdir=$(cd "$outdir" && pwd)

# One build at a time per directory: tests may ask for the same one at once.
exec 9> "$outdir/.lock"
flock 9

# Copies what differs, so that make sees new times only where there is new text, and removes what is gone.
sync_copy() {
    for original in "$source"/*.c "$source"/*.h "$source"/*.php "$source"/config.m4 "$source"/tests/* \
        "$source"/../bpf/compass_abi.h; do
        case $original in
            "$source"/tests/*) copy=$outdir/tests/${original##*/} ;;
            *) copy=$outdir/${original##*/} ;;
        esac
        cmp -s "$original" "$copy" || cp -r "$original" "$copy"
    done
    for copy in "$outdir"/compass*.c "$outdir"/tests/*.phpt; do
        [ -e "$source/${copy#"$outdir"/}" ] || rm -f "$copy"
    done
}

{
    sync_copy
    cd "$outdir"
    wanted="$php_config $("$php_config" --version) $configure_option"
    if [ ! -f Makefile ] || [ -n "$(find config.m4 -newer Makefile)" ] || [ "$(cat .configured 2> /dev/null)" != "$wanted" ]; then
        rm -f .configured
        [ ! -f Makefile ] || make -s distclean
        "$phpize"
        ./configure --quiet --with-php-config="$php_config" --enable-compass "$configure_option"
        echo "$wanted" > .configured
    fi
    # shellcheck disable=SC2016 # make expands these
    make -s -j"$(nproc)" EXTRA_CFLAGS=-Werror LIBTOOL='$(SHELL) $(top_builddir)/libtool --silent'
} >&2

echo "$outdir/modules/compass.so"
