# SPDX-License-Identifier: PostgreSQL
#
# What the scripts that run in the machine of root.sh share; sourced by them.
# A check that fails is told, and the script goes on: what else is wrong shows
# in the same run. verdict, at the end, fails if any check has.

failed=0

good() {
	echo "ok      $*"
}

bad() {
	echo "FAILED  $*"
	failed=1
}

# check TEXT COMMAND...: the command succeeds.
check() {
	local text=$1 said
	shift
	if said=$("$@" 2>&1); then
		good "$text"
	else
		bad "$text: $*${said:+: $said}"
	fi
}

# refuted TEXT COMMAND...: it does not.
refuted() {
	local text=$1 said
	shift
	if said=$("$@" 2>&1); then
		bad "$text: $*${said:+: $said}"
	else
		good "$text"
	fi
}

# same TEXT EXPECTED FOUND
same() {
	if [ "$2" = "$3" ]; then
		good "$1${2:+: $2}"
	else
		bad "$1: not '$2', but '$3'"
	fi
}

# until_true COMMAND...: within 30 s.
until_true() {
	local n
	for n in $(seq 150); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	return 1
}

# await TEXT COMMAND...: it succeeds in a while.
await() {
	local text=$1
	shift
	if until_true "$@"; then
		good "$text"
	else
		bad "$text: not within 30 s: $*"
	fi
}

verdict() {
	[ $failed = 0 ] || journalctl --no-pager -o cat -n 30 -u 'pgsluice*'
	return $failed
}

main_pid() {
	systemctl show --value -p MainPID "${1:-pgsluice}"
}

listening() {
	ss -Htln | awk '{ print $4 }' | grep -E ':(6432|6433|9632)$' | sort -u
}

# ask USER PASSWORD [PORT]: who PostgreSQL says it is.
ask() {
	PGPASSWORD=$2 psql -X -A -t -h 127.0.0.1 -p "${3:-6432}" -U "$1" \
	    -d app -c 'SELECT current_user' 2>&1
}

answers() {
	[ "$(ask "$@")" = "$1" ]
}

owner() {
	stat -c '%a %U:%G' "$1"
}

# A PostgreSQL with a role of that name, at the port of the sample.
start_postgresql() {
	local version
	version=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' |
	    sort -n | tail -n 1)
	# The machine's clusters are not this test's.
	rm -rf /etc/postgresql /var/lib/postgresql
	install -d -o postgres -g postgres /etc/postgresql /var/lib/postgresql
	pg_createcluster -p 5432 "$version" main -- --auth-host=scram-sha-256 \
	    >/dev/null &&
	    systemctl start "postgresql@$version-main"
}

# What is installed, but for what any installation leaves in logs and caches.
inventory() {
	find /etc /lib/systemd /run /usr /var -xdev \
	    \( -path /var/log -o -path /var/cache -o -path /usr/share/mime -o \
	    -path /var/lib/dpkg -o -path /var/lib/apt -o -path /run/systemd -o \
	    -path /run/udev -o -path /run/lock -o -path /run/log -o \
	    -path '/var/lib/systemd/*' -o -path /var/tmp -o \
	    -name '__pycache__' -o -path /var/lib/postgresql -o \
	    -path /etc/postgresql -o -path /run/postgresql -o \
	    -path /var/lib/PackageKit \) -prune -o \
	    -printf '%p %M %u %g\n' 2>/dev/null |
	    grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-? |^/etc/\.pwd\.lock |^/etc/ld\.so\.cache ' |
	    sort
}
