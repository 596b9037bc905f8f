# SPDX-License-Identifier: Apache-2.0
# bash completion for wperf. tests/check_docs.sh compares it with what each command's --help says.

_wperf_commands="record report requests live probes"

_wperf_selection="--path --method --status --slower-than --faster-than --path-raw --path-pattern"
_wperf_input="-i --input --slowest"
_wperf_view="--root -s --sort --restrict --format --profile-dir --filename-format --no-inline
	--no-demangle --kernel --native"
_wperf_sampling="-p --pid --duration -F --freq -c --count -e --event --call-graph --marker --calls
	--max-overhead --max-size -m --mmap-pages"
_wperf_talk="-v --verbose -q --quiet -h --help"

# The options of a command.
_wperf_options()
{
	case $1 in
	record) echo "$_wperf_sampling -o --output --no-progress $_wperf_talk" ;;
	report) echo "$_wperf_input $_wperf_selection $_wperf_view --by -o --output --tee
		$_wperf_talk" ;;
	requests) echo "$_wperf_input $_wperf_selection --summary --sort --format -o --output
		$_wperf_talk" ;;
	live) echo "$_wperf_sampling $_wperf_selection $_wperf_view --tee $_wperf_talk" ;;
	probes) echo "-p --pid -h --help" ;;
	esac
}

# The values of an option: words of its own, or "files", "folders", "pids"; nothing where anything may stand.
_wperf_values()
{
	case "$1 $2" in
	*" -i" | *" --input" | *" -o" | *" --output" | *" --tee") echo files ;;
	*" --profile-dir") echo folders ;;
	*" -p" | *" --pid") echo pids ;;
	"record --call-graph" | "live --call-graph") echo "auto fp dwarf none" ;;
	"record --marker" | "live --marker") echo "auto socket http func: begin= none" ;;
	"record -e" | "record --event" | "live -e" | "live --event") echo "cycles instructions cache-references cache-misses
		branches branch-misses cpu-clock task-clock page-faults minor-faults major-faults
		context-switches cpu-migrations alignment-faults emulation-faults" ;;
	"record -F" | "record --freq" | "live -F" | "live --freq") echo max ;;
	"record --calls" | "live --calls") echo python ;;
	"report --by") echo "endpoint request status method thread process none" ;;
	"report --kernel" | "live --kernel") echo "show fold hide" ;;
	"report -s" | "report --sort" | "live -s" | "live --sort") echo "calls ncalls cumulative cumtime filename module line
		name nfl pcalls stdname time tottime" ;;
	"requests --sort") echo "begin elapsed cpu path" ;;
	"live --format") echo "table jsonl" ;;
	"report --format") echo "table json jsonl pstats folded flamegraph speedscope" ;;
	*" --format") echo "table json jsonl" ;;
	esac
}

# True: the option takes a value.
_wperf_takes_value()
{
	case "$1 $2" in
	*" --path-raw" | *" --no-inline" | *" --no-demangle" | *" --native" | *" --summary" | *" --no-progress") return 1 ;;
	*" -v" | *" --verbose" | *" -q" | *" --quiet" | *" -h" | *" --help") return 1 ;;
	*" -"*) return 0 ;;
	esac
	return 1
}

_wperf_pids()
{
	local dir
	for dir in /proc/[0-9]*; do
		echo "${dir#/proc/}"
	done
}

# Words of a list, the last of which is being typed: what stands before the last comma stays.
_wperf_last_of_list()
{
	local before=
	case $2 in
	*,*) before=${2%,*}, ;;
	esac
	mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${2##*,}")
}

_wperf_complete_value()
{
	local values
	values=$(_wperf_values "$1" "$2")
	case $values in
	files)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$3")
		;;
	folders)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$3")
		;;
	pids) _wperf_last_of_list "$(_wperf_pids)" "$3" ;;
	"") COMPREPLY=() ;;
	*)
		case "$1 $2" in
		"record --marker" | "live --marker") compopt -o nospace 2>/dev/null ;;
		esac
		_wperf_last_of_list "$values" "$3"
		;;
	esac
}

# What stands behind "--" of wperf record and wperf live is a command line of its own.
_wperf_behind_dashes()
{
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			return 0
		fi
	done
	return 1
}

_wperf()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]}
	COMPREPLY=()
	# readline makes "=" a word: --by=thread arrives as --by, =, thread.
	if [[ $before == "=" && $COMP_CWORD -gt 2 ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	elif [[ $word == "=" ]]; then
		word=
	fi
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$_wperf_commands --help --version" -- "$word")
	elif [[ $command == record || $command == live ]] && _wperf_behind_dashes; then
		mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
	elif _wperf_takes_value "$command" "$before"; then
		_wperf_complete_value "$command" "$before" "$word"
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_wperf_options "$command")" -- "$word")
	fi
}

complete -F _wperf wperf
