#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A machine that can be thrown away: this one's files under an overlay, with
# systemd as process 1, in namespaces of its own.  What is installed, started
# or deleted there leaves no trace here.  Needs root and cgroup2; the network
# there is a loopback interface and nothing else.
#
#   root.sh FOLDER SCRIPT [ARGUMENT...]
#
# Boots it, runs SCRIPT there, and ends it; FOLDER is seen as /packages.
set -euo pipefail

fail() {
	echo "root.sh: $*" >&2
	exit 1
}

# Inside the namespaces, before systemd: the root and what it must not touch.
assemble() {
	local place=$1 shared=$2 root=$1/root

	mount --make-rprivate /
	mount -t tmpfs none "$place"
	mkdir "$place/upper" "$place/work" "$root"
	mount -t overlay overlay -o \
	    "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$root"
	mkdir "$root/packages"
	mount --bind "$shared" "$root/packages"
	cd "$root"
	mount -t proc proc proc
	mount --bind proc/sys proc/sys
	mount -o remount,bind,ro proc/sys
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs tmpfs run
	mount -t tmpfs tmpfs tmp
	mount -t tmpfs -o mode=755 none dev
	mknod -m 666 dev/null c 1 3
	mknod -m 666 dev/zero c 1 5
	mknod -m 666 dev/full c 1 7
	mknod -m 666 dev/random c 1 8
	mknod -m 666 dev/urandom c 1 9
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=666 none dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	mount -t tmpfs tmpfs dev/shm
	ip link set lo up
	# No service of this machine comes up there, and none is forbidden to.
	rm -f usr/sbin/policy-rc.d etc/machine-id
	rm -rf etc/systemd/system/*.wants
	touch etc/machine-id
	# Not chroot: who is in one may not make user namespaces (PrivateUsers).
	mkdir before
	pivot_root . before
	umount -l /before
	rmdir /before
	exec env -i container=pgsluice-test \
	    PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	    /lib/systemd/systemd --system --unit=basic.target \
	    --log-target=console --show-status=0
}

if [ "${1-}" = --assemble ]; then
	assemble "$2" "$3"
fi

shared=$(cd "$1" && pwd)
shift
[ "$(id -u)" = 0 ] || fail "needs root"
[ -x /lib/systemd/systemd ] || fail "no systemd on this machine"
control=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ -n "$control" ] || fail "no cgroup2 is mounted"

place=$(mktemp -d)
group=$control/pgsluice-test.$$
mkdir "$group"
boot=''

end() {
	[ -z "$boot" ] || kill -KILL "$boot" 2>/dev/null || true
	[ -z "$boot" ] || wait "$boot" 2>/dev/null || true
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null ||
		    true
		[ -e "$group" ] || break
		sleep 0.2
	done
	rmdir "$place" 2>/dev/null || true
}
trap end EXIT

# --kill-child: systemd and all below it end with unshare.
(
	echo $BASHPID >"$group/cgroup.procs"
	exec unshare --mount --pid --fork --cgroup --uts --ipc --net \
	    --kill-child bash "$0" --assemble "$place" "$shared"
) >"$shared/boot.log" 2>&1 </dev/null &
boot=$!

inside() {
	nsenter --target "$init" --mount --pid --uts --ipc --net --cgroup \
	    --root --wd env -i LC_ALL=C.UTF-8 HOME=/root TERM=dumb \
	    PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

for _ in $(seq 100); do
	sleep 0.2
	kill -0 "$boot" 2>/dev/null || break
	init=$(cat "/proc/$boot/task/$boot/children" 2>/dev/null) || continue
	init=${init%% *}
	[ -n "$init" ] &&
	    [ "$(cat "/proc/$init/comm" 2>/dev/null)" = systemd ] &&
	    inside systemctl -q is-active basic.target 2>/dev/null &&
	    booted=1 && break
done
[ -n "${booted-}" ] || {
	tail -n 20 "$shared/boot.log" >&2
	fail "systemd did not come up; see $shared/boot.log"
}
inside "$@"
