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
marker=func:handle_request,label=arg1:str
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

# Longer than the recording, so that there is load from its first moment to its last.
wrk -t1 -c8 -d$((seconds + 2)) -s examples/demo.lua "http://127.0.0.1:$port/" >"$scratch/wrk" 2>&1 &
wrk_pid=$!
sleep 0.5

record()
{
	run "$@" -p $server_pid --duration $seconds -o "$data"
}

# Markers take privileges, which may also be in the file itself (setcap).
status=0
has_requests=yes
record "$wperf" record --marker $marker || status=$?
if test $status -eq 4 && test "$(id -u)" != 0 && command -v sudo >/dev/null &&
	{ sudo -n true 2>/dev/null || test -t 0; }; then
	status=0
	record sudo "$wperf" record --marker $marker || status=$?
fi
if test $status -eq 4 && test "$(id -u)" != 0; then
	echo "demo: no privileges for markers: one table for all requests, without the kernel's part" >&2
	has_requests=
	status=0
	record "$wperf" record --marker none || status=$?
fi
test $status -eq 0 || fail "wperf record ended with status $status"

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
