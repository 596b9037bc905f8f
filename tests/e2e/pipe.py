#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recording can go through a pipe: to wperf, to perf, from perf, and to a reader that has enough."""
from lib import *

target = build("e2e_forks.c")
RECORD = '"$WPERF" record -q --marker func:work -o - -- "$TARGET" calls 100 3'
ENV = dict(os.environ, WPERF=WPERF, TARGET=target)


def shell(line):
    return run("bash", "-o", "pipefail", "-c", line, env=ENV)


def json_of(done):
    profile = json.loads(done.stdout)
    conserve(profile)
    return profile


piped = json_of(shell(RECORD + ' | "$WPERF" report -i - --format json'))
equal("requests through a pipe", requests_by_path(piped), {"work": 100})
equal("truncated", piped["recording"]["truncated"], False)
check(samples_of(piped, "burn") > 100, "burn() has %d samples" % samples_of(piped, "burn"))
check(cum_samples_of(piped, "main") >= samples_of(piped, "burn"), "main() is not below burn()")

shell(RECORD + " > " + path("stream.data"))
shell(RECORD.replace("-o -", "-o " + path("file.data")))
stream, file = report(path("stream.data")), report(path("file.data"))
for key in set(stream["recording"]) - {"input", "duration", "cmdline"}:
    equal("recording: " + key, stream["recording"][key], file["recording"][key])
for profile in (stream, file):
    equal("requests", requests_by_path(profile), {"work": 100})
    # 100 calls of 3 ms of CPU, 999 samples a second of CPU.
    check(150 < profile["tallies"]["samples"] < 450, "%d samples" % profile["tallies"]["samples"])
through_cat = json_of(shell("cat %s | \"$WPERF\" report -i - --format json" % path("stream.data")))
equal("the same stream, from a file and through a pipe", through_cat["groups"], stream["groups"])
step("a stream gives what a file gives")

done = run("bash", "-c", RECORD + ' | head -c 100 | wc -c; echo "${PIPESTATUS[0]}"', env=ENV)
equal("bytes taken", done.stdout.split()[0], "100")
equal("exit status of record", done.stdout.split()[1], "0")
equal("what record says to EPIPE", done.stderr, "")
done = run("bash", "-c", '"$WPERF" report -i %s --format json | head -c 100 | wc -c' %
           path("file.data"), env=ENV)
equal("what report says to EPIPE", [line for line in done.stderr.splitlines() if "pipe" in line], [])
step("a reader that has enough")

if has_perf():
    script = shell(RECORD + " | perf script -i - -G -F comm,event,ip,sym").stdout.splitlines()
    of_burn = sum("burn" in line for line in script)
    check(of_burn > 100, "perf script -i -: %d samples in burn()" % of_burn)
    equal("marks that perf script sees", sum("wperf:mark" in line for line in script), 200)
    profile = json_of(shell('perf record -q -g -o - -- "$TARGET" calls 100 3 | '
                            '"$WPERF" report -i - --format json'))
    check(samples_of(profile, "burn") > 100, "perf record -o -: %d samples in burn()" %
          samples_of(profile, "burn"))
    step("perf reads ours, we read perf's")
