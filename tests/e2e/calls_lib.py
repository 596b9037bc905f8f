# SPDX-License-Identifier: Apache-2.0
"""What the scripts about counted calls share: the program that counts for itself, and what a report says of it."""
from lib import *

target = build("e2e_calls.c")
FUNCTIONS = ("outer", "middle", "leaf", "jumper", "handler", "raiser", "coroutine", "worker", "deep")
ASKED = [word for name in FUNCTIONS for word in ("--calls", name)]


def counts_of(process):
    """What the program printed up to done: {function: (calls, primitive calls)}, other lines."""
    counts, others = {}, []
    while True:
        line = process.stdout.readline().split()
        check(line, "the target ended")
        if line == ["done"]:
            return counts, others
        if line[0] in (*FUNCTIONS, "guarded", "moving"):
            counts[line[0]] = (int(line[1]), int(line[2]))
        else:
            others.append(" ".join(line))


def go(process):
    process.stdin.write("go\n")
    process.stdin.flush()
    return counts_of(process)


def counted(profile, names=FUNCTIONS):
    """{function: (calls, primitive)} of all groups, and the functions whose rows are inexact."""
    found, inexact = {}, set()
    for group in profile["groups"]:
        for f in group["functions"]:
            if f["function"] not in names or f["ncalls"] is None:
                continue
            if f["exact"] is False:
                inexact.add(f["function"])
            calls, primitive = found.get(f["function"], (0, 0))
            primitive = None if None in (primitive, f["primitive_calls"]) else primitive + f["primitive_calls"]
            found[f["function"]] = (calls + f["ncalls"], primitive)
    return {name: n for name, n in found.items() if n[0]}, inexact
