#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Serves 1,000 requests from a private PHP-FPM under valgrind, all probes armed, and fails on any leak or
# memory error of the extension; then 100 that end in a fatal error. Takes the compass.so to test. That build collects nothing without a tracer,
# so an always-armed one is made beside it, of the same sources and for the same PHP.
set -eu

REQUESTS=1000
FATAL_REQUESTS=100

die() {
    echo "valgrind: $1" >&2
    exit 1
}

[ $# -eq 1 ] || { echo "usage: ${0##*/} COMPASS_SO" >&2; exit 2; }
[ -f "$1" ] || die "there is no $1"
tested=$(readlink -f "$1")
tests=$(cd "$(dirname "$0")" && pwd)

# The version of PHP that loads the file: every other refuses it for its API number.
version=
for fpm in /usr/sbin/php-fpm[0-9]*; do
    if "$fpm" -n -d "extension=$tested" -m 2> /dev/null | grep -qx compass; then
        version=${fpm#/usr/sbin/php-fpm}
        break
    fi
done
[ -n "$version" ] || die "no PHP-FPM in /usr/sbin loads $tested"

work=$(mktemp -d)
master=
cleanup() {
    [ -z "$master" ] || kill -KILL "$master" 2> /dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

armed=$("$tests/../build.sh" --version "$version" --always-armed "${tested%/modules/compass.so}-always-armed" \
    2> "$work/build.log") || { cat "$work/build.log" >&2; die "the always-armed build failed"; }
armed=$(echo "$armed" | tail -n 1)

# show NAME: the run's logs, the end of each.
show() {
    tail -n 60 "$work/$1"/valgrind.* "$work/$1/fpm.log" >&2
}

# serve NAME COUNT END [PHP OPTION...]: leaves valgrind's logs in $work/NAME, one per process.
serve() {
    name=$1
    count=$2
    end=$3
    shift 3
    run=$work/$name
    mkdir "$run"
    cat > "$run/fpm.conf" << CONF
[global]
error_log = $run/fpm.log
daemonize = no
; Without it a worker is killed before it can free anything.
process_control_timeout = 60s
[valgrind]
user = $(id -un)
listen = $run/socket
pm = static
pm.max_children = 1
CONF
    # PHP's own allocator would hide what is done to single blocks; what PHP unloads must keep its names.
    USE_ZEND_ALLOC=0 valgrind --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --error-exitcode=99 --keep-debuginfo=yes --num-callers=40 \
        --log-file="$run/valgrind.%p" \
        "/usr/sbin/php-fpm$version" -n -R -y "$run/fpm.conf" "$@" > "$run/output" 2>&1 &
    master=$!
    # A hundred seconds: valgrind starts slowly on a busy machine.
    for _ in $(seq 1000); do
        [ ! -S "$run/socket" ] || break
        kill -0 "$master" 2> /dev/null || { show "$name"; die "PHP-FPM did not start"; }
        sleep 0.1
    done

    for number in $(seq "$count"); do
        env -i PATH="$PATH" SCRIPT_FILENAME="$tests/valgrind.php" REQUEST_METHOD=GET \
            REQUEST_URI="/valgrind?number=$number&end=$end" HTTP_X_REQUEST_ID="valgrind-$number" \
            QUERY_STRING="number=$number&end=$end" cgi-fcgi -bind -connect "$run/socket"
        echo
    done > "$run/responses" 2>&1
    served=$(grep -c '^served' "$run/responses" || true)
    # Whatever a request ends in, it says this before.
    if [ "$served" -ne "$count" ]; then
        tail -n 30 "$run/responses" >&2
        show "$name"
        die "$served of $count requests were served as they should"
    fi

    kill -QUIT "$master"
    wait "$master" || true
    master=
    logs=$(find "$run" -name 'valgrind.*' | wc -l)
    ended=$(grep -l 'ERROR SUMMARY' "$run"/valgrind.* | wc -l)
    if [ "$logs" -lt 2 ] || [ "$ended" -ne "$logs" ] || grep -q 'Process terminating' "$run"/valgrind.*; then
        show "$name"
        die "of $logs processes only $ended ended in good order"
    fi
    if grep -Eq '(at|by) 0x.*compass' "$run"/valgrind.*; then
        grep -Eh -B 20 -A 20 '(at|by) 0x.*compass' "$run"/valgrind.* | head -n 200 >&2
        die "errors with the extension in their stack"
    fi
}

# lost NAME: bytes lost for good in that run.
lost() {
    cat "$work/$1"/valgrind.* | tr -d , |
        awk '/(definitely|indirectly) lost: [0-9]+ bytes/ { sum += $4 } END { print sum + 0 }'
}

# After a fatal error PHP frees nothing by itself but drops its heap as a whole, which this run has not got.
# So here only the extension's own blocks count.
serve fatal "$FATAL_REQUESTS" fatal -d "extension=$armed" -d compass.function_probes=1

serve armed "$REQUESTS" any -d "extension=$armed" -d compass.function_probes=1
lost=$(lost armed)
if [ "$lost" -gt 0 ]; then
    serve plain "$REQUESTS" any
    plain=$(lost plain)
    if [ "$lost" -gt "$plain" ]; then
        show armed
        die "$lost bytes lost, $plain without the extension"
    fi
    echo "valgrind: PHP $version: $REQUESTS requests, no errors of the extension, $lost bytes lost by PHP itself"
else
    echo "valgrind: PHP $version: $REQUESTS requests, no errors of the extension, nothing lost"
fi
