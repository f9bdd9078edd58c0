#!/usr/bin/env bash
# Mount tracefs where bcc and bpftrace look for it. Debian's systemd does it at boot, a container has nobody who does.
set -euo pipefail

readonly tracefs=/sys/kernel/tracing
mountpoint --quiet "$tracefs" && exit 0
if [[ $(id -u) -ne 0 ]]; then
	echo "$tracefs is not mounted, and mounting it takes root: mount -t tracefs tracefs $tracefs" >&2
	exit 1
fi
mount -t tracefs tracefs "$tracefs"
