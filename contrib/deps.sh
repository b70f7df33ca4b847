#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Installs the Debian packages that the named groups need, and only those that
# are missing.  Asks nothing, starts nothing: no PostgreSQL cluster is made and
# no service comes up because of an installation done here, neither now nor at
# the next boot.
#
#   contrib/deps.sh [--list] GROUP...
#
# Groups: build, clang, test, lab, bench, deb, rpm, packaging.  A package
# written ?NAME is left out, with a line that says so, where it cannot be
# installed: beside a package of another origin, or without root.
set -euo pipefail

packages_of() {
	case $1 in
	build)
		echo gcc libc6-dev make autoconf automake pkg-config \
		    libevent-dev libpq-dev libhiredis-dev libpg-query-dev \
		    libprotobuf-c-dev libconfuse-dev libxxhash-dev libssl-dev \
		    libidn-dev libsystemd-dev
		;;
	clang)
		echo clang libclang-rt-14-dev
		;;
	lab)
		echo postgresql-15 postgresql-client-15 redis-server python3 \
		    python3-psycopg python3-redis
		;;
	test)
		packages_of lab
		echo libcmocka-dev python3-pytest python3-pytest-xdist \
		    python3-pytest-timeout python3-psycopg2 openssl xz-utils \
		    util-linux procps prometheus pgbouncer chromium \
		    chromium-driver python3-selenium '?node-pg'
		# A nodejs of another origin brings npm along, and
		# Debian's would take its place.
		command -v npm >/dev/null || echo npm
		;;
	deb)
		packages_of build
		echo dpkg-dev debhelper fakeroot libcmocka-dev python3 xz-utils
		;;
	rpm)
		packages_of build
		echo rpm xz-utils
		;;
	packaging)
		packages_of deb
		packages_of rpm
		echo lintian rpmlint systemd util-linux iproute2 \
		    postgresql-15 postgresql-client-15
		;;
	bench)
		packages_of lab
		echo pgbouncer procps
		;;
	*)
		echo "deps.sh: unknown group: $1" >&2
		return 2
		;;
	esac
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = \
	    installed ]
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps.sh: needs root (or sudo) for: $*" >&2
		return 1
	fi
}

can_be_root() {
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null
}

# Without a standard input nothing can wait for an answer; sudo asks for a
# password on the terminal itself.
apt() {
	as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
	    APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1 \
	    apt-get -q -y \
	    -o Dpkg::Options::=--force-confdef \
	    -o Dpkg::Options::=--force-confold \
	    -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

POLICY=/usr/sbin/policy-rc.d
CLUSTER=/etc/postgresql-common/createcluster.conf
made_policy=
saved_cluster=

restore() {
	[ -z "$made_policy" ] || as_root rm -f "$POLICY"
	[ -z "$saved_cluster" ] || as_root mv -f "$saved_cluster" "$CLUSTER"
	made_policy=
	saved_cluster=
}

# A policy that is there already is the administrator's, and stays.
forbid_service_start() {
	[ ! -e "$POLICY" ] || return 0
	made_policy=1
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
	as_root chmod 755 "$POLICY"
}

# postgresql-common brings the setting, the server package obeys it.
forbid_cluster() {
	is_installed postgresql-common ||
	    apt install --no-install-recommends postgresql-common
	saved_cluster=$CLUSTER.pgsluice
	as_root cp -p "$CLUSTER" "$saved_cluster"
	echo 'create_main_cluster = false' |
	    as_root tee -a "$CLUSTER" >/dev/null
}

# A daemon installed here would come up at the next boot.  One that was there
# before is not looked at.
forbid_boot_start() {
	local p

	for p in "$@"; do
		case $p in
		redis-server | pgbouncer | prometheus)
			# links of systemd's included, systemd running or not
			as_root update-rc.d "$p" disable ||
			    echo "deps.sh: $p starts at the next boot"
			;;
		esac
	done
}

can_install() {
	apt-get -s -qq install --no-install-recommends "$1" >/dev/null 2>&1
}

# Names in, those that are to be installed out.
missing_of() {
	local p

	for p in "$@"; do
		is_installed "${p#\?}" || printf '%s\n' "$p"
	done | sort -u
}

install_missing() {
	local p
	local -a missing=()

	trap restore EXIT
	# What is optional only is no reason to ask the mirrors.
	for p in "$@"; do
		if [ "$p" = "${p#\?}" ]; then
			can_be_root || {
				echo "deps.sh: neither root nor sudo, and not" \
				    "installed:" "${@#\?}" >&2
				return 1
			}
			# One mirror of many that does not answer is no reason
			# to stop: the installation tells what is not to be had.
			apt update || echo "deps.sh: going on with the" \
			    "package lists there are"
			break
		fi
	done
	for p in "$@"; do
		if [ "$p" = "${p#\?}" ]; then
			missing+=("$p")
		elif can_be_root && can_install "${p#\?}"; then
			missing+=("${p#\?}")
		else
			echo "deps.sh: going without ${p#\?}: cannot be" \
			    "installed here"
		fi
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "deps.sh: installing ${missing[*]}"
	forbid_service_start
	case " ${missing[*]} " in
	*" postgresql-15 "*) forbid_cluster ;;
	esac
	apt install --no-install-recommends "${missing[@]}"
	forbid_boot_start "${missing[@]}"
}

main() {
	local list= group
	local -a wanted=() more missing

	for group in "$@"; do
		if [ "$group" = --list ]; then
			list=1
			continue
		fi
		# packages_of is a function of words without blanks
		read -r -d '' -a more < <(packages_of "$group" && printf '\0')
		wanted+=("${more[@]}")
	done
	[ ${#wanted[@]} -gt 0 ] || {
		echo "usage: deps.sh [--list] build|clang|test|lab|bench|deb|rpm|" \
		    "packaging..." >&2
		return 2
	}
	if [ -n "$list" ]; then
		printf '%s\n' "${wanted[@]#\?}" | sort -u
		return 0
	fi
	command -v dpkg-query >/dev/null || {
		echo "deps.sh: not a Debian system; install by hand what" \
		    "'deps.sh --list' names" >&2
		return 1
	}
	mapfile -t missing < <(missing_of "${wanted[@]}")
	if [ ${#missing[@]} -eq 0 ]; then
		echo "deps.sh: nothing to install"
		return 0
	fi
	install_missing "${missing[@]}"
}

main "$@"
