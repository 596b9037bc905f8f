#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzzer: tests/fuzz/run.sh SECONDS FOLDER FUZZER...
# SECONDS are split among them. FOLDER/corpus/FUZZER grows from run to run, and takes in
# FOLDER/seeds/FUZZER. An input that ends a fuzzer stays as FOLDER/FUZZER-crash-*.
set -eu

seconds=$1
folder=$2
shift 2
at_once=$(nproc)
each=$((seconds * at_once / $#))
test "$each" -ge 1 || each=1

run_one() {
	name=$(basename "$1")
	seeds=$folder/seeds/$name
	mkdir -p "$folder/corpus/$name"
	test -d "$seeds" || seeds=
	# Without seeds there is no argument.
	# shellcheck disable=SC2086
	# Findings are kept apart from the talk, which matters only with them.
	if "$1" -max_total_time="$each" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$folder/$name-" "$folder/corpus/$name" $seeds \
		>"$folder/$name.log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log")
		printf '%9s  %s\n' "$runs" "$name"
	else
		tail -n 60 "$folder/$name.log"
		echo "$name failed; its input is $folder/$name-*"
		return 1
	fi
}

running=''
failed=0
count=0
for fuzzer; do
	run_one "$fuzzer" &
	running="$running $!"
	count=$((count + 1))
	if test $((count % at_once)) -eq 0; then
		for pid in $running; do wait "$pid" || failed=$((failed + 1)); done
		running=''
	fi
done
for pid in $running; do wait "$pid" || failed=$((failed + 1)); done
echo "fuzzers: $(($# - failed)) passed, $failed failed"
test "$failed" -eq 0
