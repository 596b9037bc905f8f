#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Documents say what the program does: every option of --help stands in the command's man page and in
# the completion, and none stands there that --help does not know; values that can be chosen from are
# those that the program takes. WPERF is the program, ./wperf by itself. Exit status 1: something is
# missing, and a line says what.
set -eu
cd "$(dirname "$0")/.."

wperf=${WPERF:-./wperf}
case $wperf in
*/*) ;;
*) wperf=./$wperf ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
nr_compared=0
nr_failed=0

# Words, one a line, each once.
words()
{
	tr -s ' \t\n' '\n' | sed '/^$/d' | sort -u
}

options_in()
{
	grep -oE '(^|[ ,])-(-[a-z][a-z-]*|[A-Za-z])($|[^A-Za-z-])' | grep -oE -e '-(-[a-z][a-z-]*|[A-Za-z])' | words
}

# same WHAT A B: the files hold the same words.
same()
{
	nr_compared=$((nr_compared + 1))
	test -s "$2" || echo "$1: nothing was found in $2" >"$scratch/only"
	test ! -s "$2" || {
		comm -23 "$2" "$3" | sed "s|.*|$1: & is in $(basename "$2") only|"
		comm -13 "$2" "$3" | sed "s|.*|$1: & is in $(basename "$3") only|"
	} >"$scratch/only"
	test -s "$scratch/only" || return 0
	cat "$scratch/only"
	nr_failed=$((nr_failed + 1))
}

complete()
{
	bash -c '. docs/completion/wperf.bash; "$@"' bash "$@" | words
}

# A line of --help that begins with an option, without what is said of it.
help_options()
{
	"$wperf" "$1" --help | grep -E '^ {2,6}-' | sed 's/^ *//; s/   *.*//' |
		sed 's/\([a-z]\), /\1 , /g; s/,/ /g' | options_in
}

# The tags of the man page: lines below .TP or .TQ.
man_options()
{
	sed -n '/^\.T[PQ]/{n;p;}' "$1" | sed 's/\\f.//g; s/\\-/-/g; s/^\.[A-Z]* *//; s/[",]/ /g' |
		grep '^ *-' | sed 's/  */  /g' | options_in
}

# What the program offers when it is given nonsense.
offered()
{
	"$wperf" "$1" "$2" '?' 2>&1 | sed -n 's/^One of: \(.*\)\.$/\1/p; s/^The keys are \(.*\)\.$/\1/p' |
		tr -d , | words
}

"$wperf" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | words >"$scratch/help"
complete eval 'echo $_wperf_commands' >"$scratch/completion"
same commands "$scratch/help" "$scratch/completion"
sed -n '/^\.T[PQ]/{n;p;}' docs/man/wperf.1 | sed -n 's/^\.BR *wperf\\-\([a-z]*\) .*/\1/p' |
	words >"$scratch/man"
same commands "$scratch/help" "$scratch/man"
mv "$scratch/help" "$scratch/commands"

for command in $(cat "$scratch/commands"); do
	help_options "$command" | grep -v '^--$' >"$scratch/help" || :
	complete _wperf_options "$command" >"$scratch/completion"
	man_options "docs/man/wperf-$command.1" >"$scratch/man"
	same "wperf $command" "$scratch/help" "$scratch/completion"
	same "wperf $command" "$scratch/help" "$scratch/man"
done

for choice in 'report --by' 'report --kernel' 'report --format' 'report --sort' 'requests --sort' \
	'requests --format' 'live --kernel' 'live --sort' 'live --format'; do
	# shellcheck disable=SC2086  # two words
	offered $choice >"$scratch/program"
	# shellcheck disable=SC2086
	complete _wperf_values $choice >"$scratch/completion"
	same "wperf $choice" "$scratch/program" "$scratch/completion"
done

# What is offered for --call-graph must be taken, up to the pid that does not exist.
for mode in $(complete _wperf_values record --call-graph); do
	nr_compared=$((nr_compared + 1))
	if "$wperf" record --call-graph "$mode" -p 2147483647 2>&1 | grep -q call-graph; then
		echo "wperf record: --call-graph $mode is completed and not taken"
		nr_failed=$((nr_failed + 1))
	fi
done

# What the recorder takes, wperf live takes as well, but for what it says to the recorder itself.
help_options record | grep -vE -e '^(--|-o|--output|--no-progress)$' >"$scratch/record"
help_options live | grep -xF -f "$scratch/record" >"$scratch/live" || :
same 'wperf live, as record has it' "$scratch/record" "$scratch/live"

if command -v groff >/dev/null; then
	for page in docs/man/*.1; do
		nr_compared=$((nr_compared + 1))
		LC_ALL=C.UTF-8 groff -man -Tutf8 -ww -z "$page" >"$scratch/groff" 2>&1 || :
		test -s "$scratch/groff" || continue
		cat "$scratch/groff"
		nr_failed=$((nr_failed + 1))
	done
fi
echo "documents: $((nr_compared - nr_failed)) passed, $nr_failed failed"
test $nr_failed -eq 0
