#!/usr/bin/env bash
# Boot a Debian tree with its own systemd, as a container that may use eBPF; ends when the machine does.
# usage: tools/boot.sh TREE STATE [OPTION...]
#
# What the machine writes goes into the directory STATE, and the tree stays as it is. It is mounted in a namespace of its own,
# so that no mount outlives the machine. The options are systemd-nspawn's.
set -euo pipefail

tree=$1
state=$2
shift 2
mkdir -p "$state/upper" "$state/work" "$state/root"

# A cgroup of its own: where this machine's systemd is not the one that makes them, two containers would share
# theirs, and each systemd would end the other's services.
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
	[[ -w $hierarchy/cgroup.procs ]] || continue
	mkdir -p "$hierarchy/compass-$$"
	echo $$ >"$hierarchy/compass-$$/cgroup.procs"
done

# The variable is for releases without cgroups of version 1, on a machine that has both.
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --propagation private bash -euc '
	tree=$1 state=$2
	shift 2
	mount -t overlay overlay -o "lowerdir=$tree,upperdir=$state/upper,workdir=$state/work" "$state/root"
	exec env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --directory="$state/root" --boot \
		--register=no --keep-unit --capability=all --system-call-filter="bpf perf_event_open" \
		--console=pipe "$@"
' boot "$tree" "$state" "$@"
