#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make demo` shows: an HTTP server that knows nothing of wperf is put under load, sampled from
# outside while it serves, and the tables are printed. Loopback only; ends what it started.
#
#	O=build WPERF=./wperf examples/demo.sh
set -eu
cd "$(dirname "$0")/.."

folder=${O:-build}
wperf=${WPERF:-./wperf}
case $wperf in
*/*) ;;
*) wperf=./$wperf ;;
esac
data=$folder/demo.data
seconds=5
server_pid=
wrk_pid=
scratch=$(mktemp -d)

end()
{
	for pid in $wrk_pid $server_pid; do
		# More than once: between fork and exec it is this shell that gets the signal.
		while kill "$pid" 2>/dev/null; do sleep 0.1; done
		wait "$pid" 2>/dev/null || :
	done
	rm -rf "$scratch"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail()
{
	echo "demo: $*" >&2
	exit 1
}

# Shows the command as one would type it, then runs it.
run()
{
	printf '\n$ %s\n' "$*"
	"$@"
}

: >"$scratch/server"
"$folder/examples/server" --port 0 --threads 16 >"$scratch/server" 2>&1 &
server_pid=$!
for tick in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	port=$(sed -n 's/^listening on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$scratch/server")
	test -z "$port" || break
	kill -0 $server_pid 2>/dev/null || fail "the server does not start: $(cat "$scratch/server")"
	sleep 0.1
done
test -n "$port" || fail "the server says no port"
echo "The example server: pid $server_pid, http://127.0.0.1:$port/"

# A moment's recording; what it complains of is kept.
works()
{
	"$@" -q -p $server_pid --duration 0.1 -o /dev/null 2>>"$scratch/said"
}

can_sudo()
{
	test "$(id -u)" != 0 && command -v sudo >/dev/null && { sudo -n true 2>/dev/null || test -t 0; }
}

# To see requests takes privileges, which may also be in the file itself (setcap), and is not possible everywhere
# that samples are. What works is asked first: a refusal that there is a way around is no error to be shown.
as_root=
has_requests=yes
if works "$wperf" record --marker socket; then
	:
elif can_sudo && works sudo "$wperf" record --marker socket; then
	as_root=sudo
else
	# Remedies stand in lines of their own, without a prefix.
	reason=$(sed -n 's/^wperf: //p' "$scratch/said" | tail -n 1)
	if ! works "$wperf" record --marker none; then
		cat "$scratch/said" >&2
		fail "wperf cannot record here"
	fi
	echo "demo: no requests, so one table for all: ${reason:-wperf does not say why}" >&2
	has_requests=
fi

# Longer than the recording, so that there is load from its first moment to its last.
wrk -t1 -c8 -d$((seconds + 2)) -s examples/demo.lua "http://127.0.0.1:$port/" >"$scratch/wrk" 2>&1 &
wrk_pid=$!
sleep 0.5

run $as_root "$wperf" record -p $server_pid --duration $seconds -o "$data" ||
	fail "wperf record ended with status $?"

wait $wrk_pid || fail "wrk: $(cat "$scratch/wrk")"
wrk_pid=
grep -E 'requests in|Requests/sec' "$scratch/wrk"

run "$wperf" report -i "$data" --sort tottime --restrict 10
test -n "$has_requests" || exit 0
run "$wperf" requests -i "$data" --summary
"$wperf" requests -q -i "$data" --summary --format jsonl >"$scratch/endpoints"
for endpoint in / /json /fib /burn /slow '/user/{id}'; do
	grep -qF "\"path\":\"$endpoint\"" "$scratch/endpoints" || fail "no request to $endpoint was seen"
done
