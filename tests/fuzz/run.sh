#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzzer: tests/fuzz/run.sh SECONDS FOLDER FUZZER...
# SECONDS are split among them. FOLDER/corpus/FUZZER grows from run to run, and takes in
# FOLDER/seeds/FUZZER. An input that ends a fuzzer stays as FOLDER/FUZZER-crash-*, and is shown in base64 (the
# beginning of it), with what the sanitizers said: the machine that it happened on may be gone when it is looked at.
set -eu

seconds=$1
folder=$2
shift 2
at_once=$(nproc)
each=$((seconds * at_once / $#))
test "$each" -ge 1 || each=1

# AddressSanitizer of LLVM before 17 does not start where more random bits of an address put a mapping into
# its shadow: some times in a hundred.
plain=
bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
if test "$bits" -gt 28 && setarch -R true 2>/dev/null; then
	plain='setarch -R'
fi

# The inputs that a run has left: one a line.
inputs_of() {
	sed -n 's/^.*Test unit written to //p' "$folder/$1.log"
}

# libFuzzer's clock is the wall's: a machine that stands still, or is shared by many, looks like an input that takes
# long. What counts is the CPU's time, for that input alone.
is_quick() {
	for input in $(inputs_of "$(basename "$1")"); do
		# shellcheck disable=SC2086
		prlimit --cpu=10 $plain "$1" -timeout=600 "$input" >/dev/null 2>&1 || return 1
		rm -f "$input"
		return 0
	done
	return 1
}

explain() {
	case $2 in
	70) why='an input took more than 10 seconds, of the CPU, too' ;;
	71) why='an input took more than 2 GB' ;;
	137) why='killed: there was no memory left, or somebody did' ;;
	*) why='see below' ;;
	esac
	echo "$1 failed, exit status $2: $why"
	grep -E 'ERROR|SUMMARY|runtime error|Assert|DEADLYSIGNAL' "$folder/$1.log" | head -n 20 | cut -c 1-300
	echo "$1: its last lines:"
	tail -n 50 "$folder/$1.log" | cut -c 1-300
	for input in $(inputs_of "$1" | head -n 3); do
		test -f "$input" || continue
		echo "$1: $input has $(wc -c <"$input") bytes; the first 3000 of them in base64:"
		head -c 3000 "$input" | base64
	done
}

run_one() {
	name=$(basename "$1")
	seeds=$folder/seeds/$name
	mkdir -p "$folder/corpus/$name"
	test -d "$seeds" || seeds=
	status=0
	# Without seeds and with all random bits there is no argument.
	# shellcheck disable=SC2086
	# Findings are kept apart from the talk, which matters only with them.
	$plain "$1" -max_total_time="$each" -timeout=10 -timeout_exitcode=70 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$folder/$name-" "$folder/corpus/$name" $seeds \
		>"$folder/$name.log" 2>&1 || status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log")
	if test $status -eq 70 && is_quick "$1"; then
		printf '%9s  %s: stopped when an input took 10 seconds on the clock, but not of the CPU\n' "$runs" "$name"
	elif test $status -eq 0; then
		printf '%9s  %s\n' "$runs" "$name"
	else
		explain "$name" $status >"$folder/$name.why"
		cat "$folder/$name.why"
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
