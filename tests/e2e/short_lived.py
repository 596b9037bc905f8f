#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""In its last microseconds the kernel gives a thread no number, nor a process: its samples are its own all the
same, or of somebody unknown, but never of a thread that is not there."""
from lib import *

NR_THREADS, NR_PROCESSES = 20000, 2000

target = build("e2e_short_lived.c")
file = path("short.data")
wperf("record", "-q", "-F", "5000", "--marker", "none", "-o", file, "--", target, str(NR_THREADS), str(NR_PROCESSES))
for by in ("thread", "process"):
    profile = report(file, "--by", by)
    groups = {g["path"]: g["samples"] for g in profile["groups"]}
    strange = [name for name in groups if name != "(unknown)" and not re.fullmatch(".*/[1-9][0-9]*", name)]
    equal("by %s, who is no %s" % (by, by), strange, [])
    total, unknown = profile["tallies"]["samples"], groups.get("(unknown)", 0)
    equal("by %s, sum of the tables" % by, sum(groups.values()), total)
    check(unknown < 0.01 * total, "by %s: %d of %d samples are of nobody" % (by, unknown, total))
    step("by %s: %d samples of %d, %d of somebody unknown" % (by, total, len(groups), unknown))
