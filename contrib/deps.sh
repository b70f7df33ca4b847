#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Installs the Debian packages that the named groups need, and only those that
# are missing.  Asks nothing, starts nothing: no PostgreSQL cluster is made and
# no service comes up because of an installation done here.
#
#   contrib/deps.sh [--list] GROUP...
#
# Groups: build, clang, test, lab, bench.  A package written ?NAME is left out,
# with a line that says so, where it cannot be installed beside what is there.
set -euo pipefail

packages_of() {
	case $1 in
	build)
		echo gcc libc6-dev make autoconf automake pkg-config \
		    libevent-dev libpq-dev libhiredis-dev libpg-query-dev \
		    libprotobuf-c-dev libconfuse-dev libxxhash-dev libssl-dev \
		    libsystemd-dev
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
		    python3-pytest-timeout python3-psycopg2 openssl \
		    util-linux procps '?node-pg'
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

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
	    -o Dpkg::Options::=--force-confdef \
	    -o Dpkg::Options::=--force-confold \
	    -o DPkg::Lock::Timeout=300 "$@"
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
			apt update
			break
		fi
	done
	for p in "$@"; do
		if [ "$p" = "${p#\?}" ]; then
			missing+=("$p")
		elif can_install "${p#\?}"; then
			missing+=("${p#\?}")
		else
			echo "deps.sh: going without ${p#\?}: cannot be" \
			    "installed beside what is there"
		fi
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "deps.sh: installing ${missing[*]}"
	forbid_service_start
	case " ${missing[*]} " in
	*" postgresql-15 "*) forbid_cluster ;;
	esac
	apt install --no-install-recommends "${missing[@]}"
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
		echo "usage: deps.sh [--list] build|clang|test|lab|bench..." >&2
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
