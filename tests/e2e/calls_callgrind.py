#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counted calls against valgrind's: every function of three programs, one of them of threads and exceptions,
is called as often as callgrind says."""
from lib import *

# What the C library's start files bring; callgrind has no names for some of them.
START_FILES = {"_start", "_init", "_fini", "frame_dummy", "register_tm_clones", "deregister_tm_clones",
               "__do_global_dtors_aux", "(below main)"}


def demangled(names):
    done = run("c++filt", input="\n".join(names), stdin=None)
    return dict(zip(names, done.stdout.split("\n")))


def without_brackets(name):
    """ns::f<int (*)(char)>(int) -> ns::f, but operator() stays."""
    name, depth, kept = name.replace("operator()", "operator\1"), 0, ""
    for c in name:
        depth -= c in ")>"
        if not depth and c not in ")>":
            kept += c if c not in "(<" else ""
        depth += c in "(<"
    return kept.replace("\1", "()")


def plain(name):
    """What both call a function: callgrind the symbol, we what its source says."""
    name = without_brackets(re.sub(r" \[clone [^]]*\]", "", name)).strip().removesuffix(" const")
    return name.rpartition("::")[2].rpartition(" ")[2]


def by_plain_name(counts):
    names, sums = demangled(list(counts)), {}
    for name, n in counts.items():
        # Pieces that the compiler cut off are jumped to, or called in the place of the whole.
        if name in START_FILES or name.startswith("0x") or ".cold" in name or ".part." in name:
            continue
        name = plain(re.sub(r"\.(isra|constprop)\.\d+", "", names[name]))
        sums[name] = sums.get(name, 0) + n
    return sums


def callgrind(argv, stdin):
    out, counts = path("callgrind.out"), {}
    run("valgrind", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "--demangle=no",
        "--callgrind-out-file=" + out, *argv, input=stdin, stdin=None)
    own = os.path.realpath(argv[0])
    with open(out) as f:
        for line in f:
            key, _, value = line.rstrip("\n").partition("=")
            if key == "ob":
                file = value
            elif key == "cob":
                called_file = value
            elif key == "cfn":
                called = re.sub(r"'\d+$", "", value)
            elif key == "fn":
                called_file = None
            elif key == "calls":
                if (called_file or file) == own:
                    counts[called] = counts.get(called, 0) + int(value.split()[0])
                called_file = None
    return counts


def counted(argv, stdin):
    file, counts = path("counted.data"), {}
    wperf("record", "-o", file, "--marker", "none", "--max-overhead", "100", "--calls", "*@" + os.path.realpath(argv[0]), "--", *argv,
          input=stdin, stdin=None)
    profile = report(file, "--no-demangle")
    for g in profile["groups"]:
        for f in g["functions"]:
            check(f["exact"] is not False, "%s is not exact" % f["function"])
            if f["ncalls"]:
                counts[f["function"]] = counts.get(f["function"], 0) + f["ncalls"]
    return counts


def compare(what, argv, stdin=""):
    want, got = by_plain_name(callgrind(argv, stdin)), by_plain_name(counted(argv, stdin))
    differing = {name: (got.get(name), want.get(name)) for name in set(got) | set(want)
                 if got.get(name) != want.get(name)}
    equal(what + ", ours and callgrind's", differing, {})
    check(sum(got.values()) > 1000, "%s: hardly a call: %r" % (what, got))
    step("%s: %d functions, %d calls" % (what, len(got), sum(got.values())))


compare("C", [build("e2e_calls.c"), "recursion", "500"], "go\n")
compare("C++ with threads", [build("e2e_counted.cc", "-O2", "-std=c++17")])
if not IS_SANITIZED:  # such a program refuses valgrind
    compare("wperf", [WPERF, "report", "-i", os.path.join(ROOT, "tests/golden/report_file/in.data")])
