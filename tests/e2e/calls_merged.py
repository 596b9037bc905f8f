#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A count is exact where all calls were counted that a table is about: not where one of several recordings, or one of
several programs of the same source, did not count the function."""
import collections
import shutil

from lib import *

target = build("e2e_forks.c")


def record(name, *args, nr=30):
    wperf("record", "-q", "--max-overhead", "100", "--marker", "func:work", "-o", path(name), *args, "--", target, "calls", str(nr), "5")
    return path(name)


def rows_of(function, *inputs, by="endpoint", args=()):
    """[(table, (ncalls, primitive calls, whether that is all))]"""
    profile = report(inputs[0], *(word for file in inputs[1:] for word in ("-i", file)), "--by", by, *args)
    return [(g["path"], (f["ncalls"], f["primitive_calls"], f["exact"])) for g in profile["groups"]
            for f in g["functions"] if f["function"] == function and g["path"] != "(outside)"]


def calls_of(function, *inputs, **how):
    return dict(rows_of(function, *inputs, **how))


def calls_by_request(*inputs, args=()):
    """{(ncalls, primitive calls, whether that is all): requests}"""
    return collections.Counter(calls for _, calls in rows_of("work", *inputs, by="request", args=args))


UNKNOWN = (None, None, None)
alone = record("work.data", "--calls", "work")
again = record("again.data", "--calls", "work", nr=40)
other = record("burn.data", "--calls", "burn")
none = record("none.data")
burns = calls_of("burn", other)["work"]
equal("calls of one recording", calls_of("work", alone), {"work": (30, 30, True)})
check(burns[0] > 30 and burns[2], "calls of burn(): %r" % (burns,))
equal("not counted", calls_of("work", none), {"work": UNKNOWN})
equal("counted in both", calls_of("work", alone, again), {"work": (70, 70, True)})
for second in (other, none):
    equal("counted in the first", calls_of("work", alone, second), {"work": (30, 30, False)})
    equal("counted in the second", calls_of("work", second, alone), {"work": (30, 30, False)})
equal("counted in the other one", calls_of("burn", alone, other), {"work": (*burns[:2], False)})
equal("counted in two of three", calls_of("work", alone, none, again), {"work": (70, 70, False)})
equal("requests of each", calls_by_request(alone, none), {(1, 1, True): 30, UNKNOWN: 30})
slowest = calls_by_request(alone, none, args=("--slowest", "45"))
check(sum(slowest.values()) == 45 and set(slowest) == {(1, 1, True), UNKNOWN}, "the slowest requests: %r" % slowest)
# More than are told apart.
equal("counted in all of 70", calls_of("work", *[alone] * 70), {"work": (70 * 30, 70 * 30, True)})
equal("counted in all but one of 70", calls_of("work", *[alone] * 69, none), {"work": (69 * 30, 69 * 30, False)})
for nr_before in (0, 63, 64):
    equal("requests behind %d" % nr_before, calls_by_request(*[alone] * nr_before, none)[UNKNOWN], 30)
for second, tally in ((again, 0), (none, 1)):
    equal("functions of which that is said", report(alone, "-i", second)["tallies"]["calls_elsewhere"], tally)
has("what is said", wperf("report", "-i", alone, "-i", none).stderr, "wperf: 1 function's calls were not counted in each recording")
step("several recordings: ~ where one of them did not count")

# ---- two programs of one source ----

copy = path("copy")
shutil.copy(target, copy)
processes = [start(program, "forever", stdout=subprocess.DEVNULL) for program in (target, copy)]
recording = Recording("-p", ",".join(str(p.pid) for p in processes), "--marker", "none", "--max-overhead", "100", "--calls", "work@" + target)
time.sleep(1)
recording.stop()
for p in processes:
    stop(p)
first, second = ("%s/%d" % (os.path.basename(program), p.pid) for program, p in zip((target, copy), processes))
got = calls_of("work", recording.file, by="process")
check(got[first][0] > 0 and got[first][2], "calls of the one that is counted: %r" % got)
equal("calls of the other one", got[second], UNKNOWN)
both = calls_of("work", recording.file, by="none")
equal("calls of both", list(both.values()), [(*got[first][:2], False)])
step("two programs of one source: - for the one that is not counted")

# ---- Python's ----

SOURCE = """
import time
def work():
    end = time.thread_time() + 0.05
    while time.thread_time() < end: pass
print("ready", flush=True)
for line in iter(input, ""): work()
"""


def record_python(*args):
    process = start_target("/usr/bin/python3", "-c", SOURCE, ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--marker", "none", *args)
    process.stdin.write(5 * "go\n" + "\n")
    process.stdin.flush()
    process.wait(PATIENCE)
    recording.stop()
    return recording.file


counted, again, sampled = record_python("--calls", "python"), record_python("--calls", "python"), record_python()
for inputs, want in (([counted], (5, 5, True)), ([counted, again], (10, 10, True)), ([counted, sampled], (5, 5, False)),
                     ([sampled, counted], (5, 5, False))):
    equal("calls in Python of %d" % len(inputs), list(calls_of("work", *inputs, by="none").values()), [want])
step("Python's calls: ~ where one recording did not count")
