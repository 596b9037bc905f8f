#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Which folder may include which: the table of docs/ARCHITECTURE.md, over every .c and .h that is here.
# Prints FILE:LINE for what breaks it, and exits with 1.
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2046  # no file has a blank in its name
awk '
BEGIN {
	# "of" may include headers of "from".
	may["base"] = "base"
	may["recording"] = "base recording"
	may["unwinder"] = "base unwinder"
	may["collector"] = "base recording unwinder collector"
	may["symbolizer"] = "base symbolizer"
	may["report"] = "base recording unwinder symbolizer report"
	may["tests"] = "base recording unwinder collector symbolizer report tests"
	may["bench"] = "base recording unwinder collector symbolizer report tests bench"
	may["examples"] = "examples"
	may["."] = "base collector report"
}
function broken(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why
	nr_broken++
}
function folder_of(path) {
	sub(/^\.\//, "", path)
	return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "."
}
FNR == 1 {
	nr_files++
	from = folder_of(FILENAME)
	if (!(from in may))
		broken("the table knows no folder " from)
}
/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
	nr_includes++
	quoted = $0 ~ /include[ \t]*"/
	header = $0
	sub(/^[^<"]*[<"]/, "", header)
	sub(/[>"].*/, "", header)
	to = folder_of(header)
	if (!quoted) {
		if (to in may && to != ".")
			broken("<" header "> is ours: it takes quotes")
		next
	}
	if (header !~ /\// || header ~ /(^|\/)\.\.?\//)
		broken("\"" header "\": named from the root, FOLDER/FILE.h")
	else if (index(" " may[from] " ", " " to " ") == 0)
		broken(from "/ may not include " to "/ (\"" header "\")")
	else if (from == "." && to != "base" && header !~ /\/cmd_[a-z]+\.h$/)
		broken("the command table includes commands only (\"" header "\")")
}
END {
	printf "includes: %d files, %d includes, %d broken\n", nr_files, nr_includes, nr_broken
	exit nr_broken > 0
}' $(find . -name build -prune -o -name .git -prune -o \( -name '*.c' -o -name '*.h' \) -print | sort)
