#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Debian packages that building, showing and testing take:
#
#	tests/packages.sh build|demo|check	installs what is missing: as root, or through sudo
#	tests/packages.sh --ask build|demo|check	installs nothing
#
# What is missing and was not installed is named, with the line that installs it, and the exit status is 1.
# Where there is no dpkg nothing is asked. PACKAGES=skip in the environment: the same, for who has
# libraries of their own.
set -eu

build='libc6-dev g++ clang pkg-config linux-libc-dev libbpf-dev libdw-dev libelf-dev libpfm4-dev
	libjansson-dev libpcre2-dev libzydis-dev libdeflate-dev libiberty-dev
	zlib1g-dev'
# Without libc6-dbg, functions that libc does not export have no names in a table.
demo='wrk systemtap-sdt-dev libc6-dbg'
# python3-dbg, postgresql, nginx and redis are programs with debug files and probes, to be read and attached to.
check="$demo check libclang-rt-14-dev elfutils binutils linux-perf libcap2-bin python3 python3-dbg
	lld xz-utils util-linux groff-base nginx postgresql-15 redis-server memcached nodejs python3-flask
	python3-greenlet gunicorn debuginfod valgrind"

usage()
{
	echo "usage: tests/packages.sh [--ask] build|demo|check" >&2
	exit 2
}

# Prints those of the packages that are not installed.
missing()
{
	for package; do
		case " $(dpkg-query -W -f '${db:Status-Status} ' "$package" 2>/dev/null)" in
		*" installed "*) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

# Servers among the packages are to be read and started by tests, not to listen on their own ports from
# the moment they are installed: invoke-rc.d asks this file, which is here for that moment only.
keep_services_down()
{
	policy=/usr/sbin/policy-rc.d
	test ! -e $policy || return 0
	trap 'rm -f $policy' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
}

install_as_root()
{
	export DEBIAN_FRONTEND=noninteractive
	keep_services_down
	apt-get update -qq
	apt-get install -y -q --no-install-recommends "$@"
}

ask=
if test "${1-}" = --ask; then
	ask=yes
	shift
elif test "${1-}" = --install; then
	shift
	install_as_root "$@"
	exit
fi
goal=${1-}
case $goal in
build) wanted=$build ;;
demo) wanted="$build $demo" ;;
check) wanted="$build $check" ;;
*) usage ;;
esac
test "${PACKAGES-}" != skip || exit 0
command -v dpkg-query >/dev/null || exit 0

lacking=$(missing $wanted)
test -n "$lacking" || exit 0
lacking=${lacking% }

# What is wrong, then how the line that installs is introduced. That line is no plain apt-get install, which
# wants lists of packages to be there, and starts the servers.
refuse()
{
	case $0 in
	*/*) remedy="$0 $goal" ;;
	*) remedy="./$0 $goal" ;;
	esac
	if ! command -v apt-get >/dev/null; then
		remedy="There is no apt-get here to install them."
	elif test "$(id -u)" = 0; then
		remedy="$2: $remedy"
	elif command -v sudo >/dev/null; then
		remedy="$2: sudo $remedy"
	else
		remedy="$2, as root: $remedy"
	fi
	printf 'wperf: %s: %s\n%s\n' "$1" "$lacking" "$remedy" >&2
	exit 1
}

# Whether root is at hand, and how.
get_root()
{
	as_root=
	test "$(id -u)" != 0 || return 0
	as_root=sudo
	command -v sudo >/dev/null && { sudo -n true 2>/dev/null || test -t 0; }
}

if test -n "$ask" || ! command -v apt-get >/dev/null || ! get_root; then
	refuse "packages are missing" "This installs them"
fi
echo "Installing what is missing: $lacking"
$as_root sh "$0" --install $lacking || refuse "packages could not be installed" "This tries again"
