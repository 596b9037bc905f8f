#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stacks that cannot be walked as they lie there: of signal handlers, on a stack of their own or not, deeper than
the copy, with pages that are not there, and at probes on exits. No sample has a frame that its program did not call."""
from lib import *

target = build("e2e_walks.c", "-O2", "-fomit-frame-pointer")
guided = build("e2e_walks.c", "-O2", output="guided")


class Walks:
    """What one recording of the target has: how its walks ended, and who called whom."""

    def __init__(self, what, *args, program=target, cpu_ms=400):
        file = path(what + ".data")
        wperf("record", "-q", "-F", "2000", *args, "-o", file, "--", program, what, str(cpu_ms))
        profile = report(file, "--by", "none")
        self.samples, self.ended = profile["stacks"]["samples"], profile["stacks"]["ended"]
        self.functions = profile["groups"][0]["functions"]
        equal("sum of the reasons", sum(self.ended.values()), self.samples)

    def cum(self, function):
        return sum(f["cum_samples"] for f in self.functions if f["function"] == function)

    def called_by(self, function, *callers):
        """Nobody else has called it, and each of them has."""
        found = {c["function"] for f in self.functions if f["function"] == function for c in f["callers"]}
        equal("callers of " + function, found, set(callers))

    def mostly(self, what, nr, whole):
        """The rest is the program's start, and instructions that the kernel was in the middle of."""
        check(nr >= 0.95 * whole > 100, "%s: %d of %d: %s" % (what, nr, whole, self.ended))

    def few(self, what, nr, whole):
        """On the way there."""
        check(nr <= 0.05 * whole, "%s: %d of %d: %s" % (what, nr, whole, self.ended))


walks = Walks("handler")
walks.called_by("spin", "handler")
walks.called_by("handler", "__restore_rt")
walks.called_by("interrupted", "main")
check(walks.cum("interrupted") >= walks.cum("handler"), "samples of a handler's without what it interrupted")
walks.mostly("whole", walks.ended["root"], walks.cum("handler"))
step("a handler on the thread's stack: %d of %d are whole" % (walks.ended["root"], walks.samples))

walks = Walks("own-stack")
walks.called_by("spin", "handler")
walks.called_by("handler", "__restore_rt")
walks.few("with what the copy has not", walks.cum("interrupted"), walks.samples)
ended = walks.ended["short"] + walks.ended["bad_stack"]
walks.mostly("ended where the signal came in", ended, walks.cum("handler"))
step("a handler on a stack of its own: %d of %d end where it came in" % (ended, walks.samples))

walks = Walks("deep")
walks.called_by("spin", "deep")
check(walks.ended["root"] <= walks.samples - walks.cum("spin"), "deeper than the copy, and whole: %s" % walks.ended)
walks.few("with main() in the copy", walks.cum("main"), walks.samples)
walks.mostly("short", walks.ended["short"], walks.cum("spin"))
step("deeper than the copy: %d of %d end with it" % (walks.ended["short"], walks.samples))

walks = Walks("hollow", cpu_ms=2000)
walks.called_by("hollow", "on_new_stack")
check(walks.ended["root"] > walks.samples / 2 > 100, "a page that is not there stays away: %s" % walks.ended)
step("a hole in the stack: %d of %d are whole, the others are from before it was met" %
     (walks.ended["root"], walks.samples))

for program in target, guided:
    walks = Walks("calls", "--marker", "func:probed", "--marker", "func:jumped_to", program=program)
    walks.called_by("work", "probed", "jumped_to")
    walks.called_by("jumped_to", "probed")
    walks.called_by("probed", "probed", "calls")
    walks.called_by("calls", "main")
    walks.mostly("whole", walks.ended["root"], walks.samples)
    step("probes on exits, recursion, jumps: %d of %d are whole" % (walks.ended["root"], walks.samples))

# A probe that sends no marks.
framed = build("e2e_walks.c", "-O1", "-fno-omit-frame-pointer", output="framed")
counted = ("--marker", "none", "--calls", "fib", "--max-overhead", "100")
done = wperf("record", "-v", "-o", path("where.data"), *counted, "--", framed, "short-calls", "10")
has("a probe on a push", done.stderr, "at +0: push")
walks = Walks("short-calls", *counted, program=framed)
walks.called_by("fib", "fib", "short_calls")
walks.called_by("short_calls", "main")
walks.mostly("whole", walks.ended["root"], walks.samples)
step("counted calls: %d of %d are whole" % (walks.ended["root"], walks.samples))

counted = ("--marker", "none", "--calls", "straight", "--max-overhead", "100")
for program in target, framed:
    done = wperf("record", "-v", "-o", path("where.data"), *counted, "--", program, "stepped-calls", "10")
    has("a probe on what is run out of line", done.stderr, "stepped: ")
    walks = Walks("stepped-calls", *counted, program=program)
    walks.called_by("straight", "middle")
    walks.called_by("middle", "stepped_calls")
    copies = [f for f in walks.functions if f["module"] == "[uprobes]"]
    equal("callers of copies", {c["function"] for f in copies for c in f["callers"]}, {"middle"})
    walks.mostly("below middle()", walks.cum("middle"), walks.samples)
    walks.mostly("whole", walks.ended["root"], walks.samples)
    step("counted calls, run out of line: %d of %d are whole" % (walks.ended["root"], walks.samples))
