#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole stacks of programs without frame pointers. The same dumps of five busy servers are unwound by
wperf and by perf script (libunwind), frame by frame; where the two differ perf must have stopped early, for a
reason that is known. And what wperf unwinds while it records goes to the outermost frame."""
import collections
import http.client

from servers import *

CHECK = os.path.join(BUILD, "check")
# Where perf's unwinder gives up, by the innermost frame that both have, or the one that perf ends with:
# docs/STACKS.md says why.
WHY_PERF_STOPS = (
    ("vdso", lambda frames, stop: frames[stop - 1][1] == "[vdso]"),
    ("just-in-time code", lambda frames, stop: any(module.startswith(("/tmp/perf-", "//anon")) or
                                                   module.endswith("/node")
                                                   for _, module in frames[:stop])),
    ("behind clone()'s syscall", lambda frames, stop: stop == 1 and "libc" in frames[0][1]),
    ("epilogue", lambda frames, stop: stop == 2 or stop == 3),
)


def numbered(chains, key):
    """A thread may have two samples in one nanosecond: the second is told from the first."""
    nr = 0
    while (*key, nr) in chains:
        nr += 1
    return (*key, nr)


def chains_of_wperf(file):
    """{(thread, ns, which of these): ([offset in its file, ...], how many without the copy's last word)}"""
    chains = {}
    for line in run(CHECK, "--chains", file).stdout.splitlines():
        whole, _, without = line.partition("|")
        words = whole.split()
        chains[numbered(chains, words[:2])] = (words[2:], int(without or len(words) - 2))
    return chains


def chains_of_perf(file):
    """The same from perf script, with the file each address is in: (offset, module)."""
    chains = {}
    for line in run("perf", "script", "--no-inline", "--ns", "-F", "tid,time,ip,sym,dso",
                    "-i", file).stdout.splitlines():
        head = re.match(r"\s*(\d+)\s+(\d+)\.(\d{9}):", line)
        frame = re.match(r"\s+([0-9a-f]+) .*\((.*)\)$", line)
        if head:
            frames = chains.setdefault(numbered(chains, (head[1], str(int(head[2] + head[3])))), [])
        elif frame and int(frame[1], 16) < 1 << 63:
            frames.append((frame[1], frame[2]))
        elif frame and frame[1] == "f" * 16:
            pass  # perf's word for "here the copy ended"
    return chains


def why_they_differ(ours, without_last_word, theirs):
    """None: they are equal. perf writes down the garbage that it read last, where it knows no code."""
    addresses = [address for address, _ in theirs]
    if ours == addresses:
        return None
    while addresses and theirs[len(addresses) - 1][1] == "[unknown]" and len(addresses) > 1:
        addresses.pop()
    if ours == addresses:
        return "an address that is no code's"
    stop = len(addresses)
    check(len(ours) > stop and ours[:stop] == addresses, "not one the beginning of the other:\n%s\n%s" %
          (ours, theirs))
    if stop == without_last_word:
        return "the copy's last word"
    for why, holds in WHY_PERF_STOPS:
        if holds(theirs, stop):
            return why
    return "?"


def compare(name, file):
    ours, theirs = chains_of_wperf(file), chains_of_perf(file)
    equal(name + ": samples", set(ours), set(theirs))
    # perf sees little of threads that live for a request: its events begin anew in each.
    check(len(ours) > 10, "%s: only %d samples" % (name, len(ours)))
    why = {key: why_they_differ(*ours[key], theirs[key]) for key in ours}
    reasons = collections.Counter(why.values())
    same = reasons.pop(None, 0)
    riddles = [(ours[key], theirs[key]) for key in ours if why[key] == "?"]
    check(not riddles, "%s: %d differ for no known reason, the first one:\n%s" % (name, len(riddles), riddles[:1]))
    step("%s: %d samples, %.2f %% as perf; perf stops early: %s" %
         (name, len(ours), 100 * same / len(ours), dict(reasons) or "never"))
    return same / len(ours), reasons


def whole_share(file):
    stacks = report(file, "--by", "none")["stacks"]
    equal("sum of the reasons", sum(stacks["ended"].values()), stacks["samples"])
    return stacks


def processes(server):
    return ",".join(str(pid) for pid in [server.pid] + children(server.pid))


for make in (*ALL, flask_threads):
    server = make()
    dumps = path(make.__name__ + ".dumps")
    with server.load():
        time.sleep(1)  # what a program does first, it does once, and deeper in its stack
        recording = Recording("-p", server.pid, "--", "sleep", "1")
        recording.wait()
        if has_perf():
            run("perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,16384",
                "-o", dumps, "-p", processes(server), "--", "sleep", "1")
    server.stop()
    stacks = whole_share(recording.file)
    check(stacks["samples"] > 100, "%s: only %d samples" % (server.name, stacks["samples"]))
    check(stacks["whole"] >= 0.99, "%s: %s" % (server.name, stacks))
    step("%s: %d samples, %.2f %% of the stacks whole" %
         (server.name, stacks["samples"], 100 * stacks["whole"]))
    if has_perf():
        compare(server.name, dumps)

# Where perf is wrong: a return address that is the copy's last word is not read by it, so one size of copy in each
# frame's length, which is at most 64 bytes here, ends a frame early, and no other does.
if has_perf():
    deep = build("e2e_walks.c", "-O2")
    reasons = collections.Counter()
    for size in range(1000, 1064, 8):
        dumps = path("edge.dumps")
        run("perf", "record", "-q", "-e", "cpu-clock:u", "-F", "499", "--call-graph", "dwarf,%d" % size,
            "-o", dumps, "--", deep, "deep", "60")
        ours, theirs = chains_of_wperf(dumps), chains_of_perf(dumps)
        reasons += collections.Counter(why_they_differ(*ours[key], theirs[key]) for key in ours)
    check(reasons["the copy's last word"] and not reasons["?"], "how perf's chains differ: %s" % reasons)
    step("the copy's last word: %d of %d samples" % (reasons["the copy's last word"], reasons.total()))

# node's own functions, by the map that it leaves for perf: file, line and name, and what they call.
server = node("--perf-basic-prof")
with server.load():
    recording = Recording("-p", server.pid, "--", "sleep", "2").wait()
server.stop()
functions = [f for g in report(recording.file, "--by", "none")["groups"] for f in g["functions"]]
fib = [f for f in functions if f["function"] == "fib"]
equal("fib", {(os.path.basename(f["file"]), f["line"]) for f in fib}, {("app.js", 3)})
handler = [f for f in functions if (os.path.basename(f["file"] or ""), f["line"]) == ("app.js", 5)]
equal("the handler", {f["function"] for f in handler}, {"<anonymous>"})
check(handler[0]["cum_samples"] > fib[0]["cum_samples"] > 0, "the handler is not above fib()")
check(any(c["function"] == "<anonymous>" for c in fib[0]["callers"]), "fib() has the callers %s" %
      fib[0]["callers"])
step("just-in-time code: fib is %d of %d samples of its handler" %
     (fib[0]["cum_samples"], handler[0]["cum_samples"]))
