#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The life of the Debian package, in the machine of root.sh: installed, opened by
# one edit, confined, ended and started again by systemd, upgraded under an open
# session, removed, purged. Found in /packages: first.deb, and next.deb with a
# higher version and another pgsluice.conf; psql, the package's autopkgtest.
set -u
cd /packages
# shellcheck source=checks.sh
. ./checks.sh

CONF=/etc/pgsluice/pgsluice.conf
USERS=/etc/pgsluice/users.txt

install_deb() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y \
	    --no-install-recommends -o Dpkg::Options::=--force-confold \
	    -o APT::Sandbox::User=root install "$PWD/$1" </dev/null
}

is_gone() {
	[ ! -e "/proc/$1/exe" ]
}

has_other_pid() {
	local pid
	pid=$(main_pid) && [ "$pid" != 0 ] && [ "$pid" != "$1" ]
}

# The text of the running daemon is the file that is installed.
is_current() {
	[ "$(stat -L -c %d:%i "/proc/$(main_pid)/exe")" = \
	    "$(stat -L -c %d:%i /usr/sbin/pgsluice)" ]
}

echo "== installed"
dpkg -P pgsluice pgsluice-dbgsym >/dev/null 2>&1
rm -rf /etc/pgsluice
check "PostgreSQL runs" start_postgresql
inventory >/tmp/before
check "apt installs it" install_deb first.deb
check "the service runs" systemctl -q is-active pgsluice
# Without it there is nothing to look at.
[ $failed = 0 ] || exit 1
check "it comes up at the next boot" systemctl -q is-enabled pgsluice
refuted "the socket unit does not" systemctl -q is-enabled pgsluice.socket
check "configuration and users are conffiles" \
    test "$(dpkg-query -W -f '${Conffiles}' pgsluice | grep -c /etc/pgsluice/)" = 2
for f in $CONF $USERS; do
	same "$f" "640 root:pgsluice" "$(owner $f)"
done
same "/var/lib/pgsluice" "700 pgsluice:pgsluice" "$(owner /var/lib/pgsluice)"
same "its user has no shell" /usr/sbin/nologin \
    "$(getent passwd pgsluice | cut -d: -f7)"
check "its unit has no mistake" systemd-analyze verify pgsluice.service \
    pgsluice.socket pgsluice@east.service

echo "== closed, and open after one edit"
same "listens on" 127.0.0.1:6432 "$(listening)"
check "asks for SCRAM" grep -q '^auth = "scram-sha-256"' $CONF
same "users" "" "$(grep -v -e '^[;#]' -e '^$' $USERS)"
check "autopkgtest: psql after one line in users.txt" sh -eu ./psql

echo "== confined"
unit=/run/systemd/system/pgsluice-probe.service
mkdir -p /run/systemd/system /run/confined
cp confined.py /run/confined/
# A service manager without CAP_SYS_RESOURCE gives what it has, and not more.
files=65536
(ulimit -Hn 65536) 2>/dev/null || files=$(ulimit -Hn)
# The unit's own text, but for what is started; a socket and a watchdog are not
# what is looked at.
sed -e '/^ExecStartPre=/d; /^ExecReload=/d; /^WatchdogSec=/d; /^Restart/d' \
    -e 's|^Type=.*|Type=oneshot|' \
    -e "s|^ExecStart=.*|ExecStart=/usr/bin/python3 /run/confined/confined.py $files|" \
    /lib/systemd/system/pgsluice.service >$unit
cat >/run/systemd/system/pgsluice-bare.service <<UNIT
[Service]
Type=oneshot
StateDirectory=pgsluice-bare
RuntimeDirectory=pgsluice-bare
ExecStart=/usr/bin/python3 /run/confined/confined.py $files
UNIT
# A device that PrivateDevices hides.
mknod -m 666 /dev/pgsluice-probe c 1 3
systemctl daemon-reload
systemctl start pgsluice-probe || bad "a directive has no effect"
systemctl start pgsluice-bare 2>/dev/null
journalctl --no-pager -o cat -u pgsluice-probe _COMM=python3 | tee /tmp/confined
journalctl --no-pager -o cat -u pgsluice-bare _COMM=python3 >/tmp/bare
[ "$(grep -c . /tmp/confined)" -ge 50 ] || bad "the probe has not run"
# The same probes, where nothing confines.
echo "without the directives:" "$(grep -c '^FAILED' /tmp/bare) of" \
    "$(grep -vc needed: /tmp/bare) probes find nothing that forbids"
for directive in $(sed -n 's/^ok *\([A-Z][A-Za-z]*\):.*/\1/p; s/^ok *\([A-Z][A-Za-z]*\)$/\1/p' \
    /tmp/confined | sort -u); do
	case $directive in
	# Forbidden in this machine anyway; or its default.
	AmbientCapabilities | ProtectKernelTunables | LimitNOFILE) continue ;;
	esac
	grep -qE "^FAILED *$directive(:|$)" /tmp/bare ||
	    bad "$directive: the probe does not tell whether it has an effect"
done
systemctl disable -q --now pgsluice-probe pgsluice-bare 2>/dev/null
rm -rf /run/systemd/system/pgsluice-* /run/confined /var/lib/pgsluice-bare
systemctl daemon-reload

echo "== looked after"
mkdir -p /run/systemd/system/pgsluice.service.d
printf '[Service]\nWatchdogSec=2s\n' \
    >/run/systemd/system/pgsluice.service.d/short.conf
systemctl daemon-reload
systemctl restart pgsluice
pid=$(main_pid)
[ "$pid" -gt 1 ] || exit 1
kill -STOP "$pid"
await "one that hangs is started anew by the watchdog" has_other_pid "$pid"
await "and answers" answers alice wonder
pid=$(main_pid)
[ "$pid" -gt 1 ] || exit 1
kill -KILL "$pid"
await "one that was killed is started anew" has_other_pid "$pid"
await "and answers" answers alice wonder
rm -r /run/systemd/system/pgsluice.service.d
systemctl daemon-reload
systemctl restart pgsluice
cp $CONF /tmp/conf
echo 'nonsense = 1' >>$CONF
refuted "a start with a mistake in the configuration fails" \
    systemctl restart pgsluice
cp /tmp/conf $CONF
systemctl reset-failed pgsluice
check "without it, it does not" systemctl restart pgsluice

echo "== upgraded"
sed -e 's/6432/6433/; s|^#*http_listen.*||' $CONF >/etc/pgsluice/east.conf
chgrp pgsluice /etc/pgsluice/east.conf
check "an instance of another name starts" systemctl start pgsluice@east
await "and answers" answers alice wonder 6433
same "its folder" "700 pgsluice:pgsluice" "$(owner /var/lib/pgsluice-east)"
until_true answers alice wonder
edited=$(sha256sum <$USERS)
pid=$(main_pid)
east=$(main_pid pgsluice@east)
# A session that stays open from here on: a line in, an answer out.
coproc SESSION {
	PGPASSWORD=wonder exec psql -X -q -A -t -h 127.0.0.1 -U alice -p 6432 \
	    -d app 2>&1
}
say() {
	local answer
	echo "$1" >&"${SESSION[1]}"
	read -r -t 30 answer <&"${SESSION[0]}" && echo "$answer"
}
same "a session is open" 1 "$(say 'SELECT 1;')"
check "apt upgrades it" install_deb next.deb
same "the daemon goes on" "$pid" "$(main_pid)"
same "and its instance" "$east" "$(main_pid pgsluice@east)"
same "and the session" 2 "$(say 'SELECT 2;')"
same "the edit is still there" "$edited" "$(sha256sum <$USERS)"
same "$USERS" "640 root:pgsluice" "$(owner $USERS)"
check "what was not edited is the new one's" grep -q "of the next version" $CONF
same "$CONF" "640 root:pgsluice" "$(owner $CONF)"
refuted "what runs is the file from before" is_current
systemctl kill -s USR2 --kill-whom=main pgsluice
await "a takeover makes another process the service" has_other_pid "$pid"
await "of the file that is installed" is_current
same "the session goes on" 3 "$(say 'SELECT 3;')"
await "the process from before ends" is_gone "$pid"
same "the session still goes on" 4 "$(say 'SELECT 4;')"
check "the service is sound" systemctl -q is-active pgsluice
exec {SESSION[1]}>&-

systemctl restart pgsluice
systemctl stop pgsluice
check "a socket unit listens in its place" \
    systemctl enable -q --now pgsluice.socket
same "while the service" inactive "$(systemctl is-active pgsluice)"
await "a connection starts it" answers alice wonder
systemctl show -p InvocationID pgsluice.socket >/tmp/socket
check "an upgrade (the first version once more) succeeds" \
    dpkg --force-confold -i first.deb
check "an upgrade succeeds" install_deb next.deb
same "the socket unit listens as before" "$(cat /tmp/socket)" \
    "$(systemctl show -p InvocationID pgsluice.socket)"
await "and leads to PostgreSQL" answers alice wonder

echo "== removed"
check "apt removes it" apt-get -q -y remove pgsluice
same "nothing listens" "" "$(listening)"
refuted "nothing runs" pgrep -x pgsluice
refuted "no program is left" test -e /usr/sbin/pgsluice
same "the edit is still there" "$edited" "$(sha256sum <$USERS)"
check "installed again" install_deb next.deb
await "it is as open as it was" answers alice wonder

echo "== purged"
systemctl disable -q --now pgsluice.socket
touch /etc/pgsluice/hba.conf
rm /etc/pgsluice/east.conf
check "apt purges it" apt-get -q -y purge pgsluice
check "files of an administrator stay" test -e /etc/pgsluice/hba.conf
check "and the user whose group may read them" getent passwd pgsluice
rm /etc/pgsluice/hba.conf
check "installed again" install_deb next.deb
same "nobody is let in" "" "$(grep -v -e '^[;#]' -e '^$' $USERS)"
check "apt purges it" apt-get -q -y purge pgsluice
refuted "the user is gone" getent passwd pgsluice
refuted "and the group" getent group pgsluice
inventory >/tmp/after
same "what was there before is there, and nothing else" "" \
    "$(diff /tmp/before /tmp/after)"
verdict
