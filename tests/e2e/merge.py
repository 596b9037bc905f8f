#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several recordings in one report, empty ones, and what is left of one that was cut off anywhere."""
import random

from lib import *

target = build("e2e_forks.c")


def record(name, *args):
    wperf("record", "-q", "--marker", "func:work", "-o", path(name), "--", target, *args)
    return path(name)


def self_samples(profile):
    found = {}
    for f in profile["groups"][0]["functions"]:
        key = f["file"], f["line"], f["function"]
        found[key] = found.get(key, 0) + f["samples"]
    return found


first, second = record("a.data", "calls", "30", "5"), record("b.data", "calls", "40", "5")
views = [report(file, "--by", "none") for file in (first, second)]
both = report(first, "-i", second, "--by", "none")
equal("requests", both["groups"][0]["requests"], 70)
equal("requests by endpoint", requests_by_path(report(first, "-i", second)), {"work": 70})
for key in ("samples", "in_requests", "outside", "marks"):
    equal(key, both["tallies"][key], sum(v["tallies"][key] for v in views))
want = self_samples(views[0])
for key, nr in self_samples(views[1]).items():
    want[key] = want.get(key, 0) + nr
got = self_samples(both)
equal("functions whose samples do not add up",
      {key: (got.get(key, 0), want.get(key, 0)) for key in set(got) | set(want)
       if got.get(key, 0) != want.get(key, 0)}, {})
twice = report(first, "-i", first, "--by", "none")
equal("the same twice", twice["tallies"]["samples"], 2 * views[0]["tallies"]["samples"])
step("30 and 40 requests: 70, and every function's samples add up")

# perf's recording brought no names of the kernel along; those of ours must not pass for its own.
theirs = path("perf.data")
run("perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-g", "-o", theirs, "--", target, "calls", "30", "5")
alone = [self_samples(report(file, "--by", "none")) for file in (first, theirs)]
for order in ((first, theirs), (theirs, first)):
    got = self_samples(report(order[0], "-i", order[1], "--by", "none"))
    equal("functions whose samples do not add up",
          {key: (got.get(key, 0), [a.get(key, 0) for a in alone]) for key in got
           if got.get(key, 0) != sum(a.get(key, 0) for a in alone)}, {})
step("a recording of perf's beside one of ours")

# The kernel's own names do for it; but what is at a BPF program's address now may be another one: its name is what
# the recording says.
busy = start("dd", "if=/dev/zero", "of=/dev/null", "bs=1", stderr=subprocess.DEVNULL)
watcher = start(WPERF, "record", "-v", "-o", path("watched.data"), "-p", str(os.getpid()),
                stderr=subprocess.PIPE, encoding="utf-8", env=dict(os.environ, WPERF_SOCKETS="calls"))
wait_until("wperf watches", lambda: watcher.stderr.readline() == "wperf: attached\n")
with open("/proc/kallsyms") as f:
    check("socket_enter" in f.read(), "wperf's program is not in the kernel")
run("perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", theirs, "-p", str(busy.pid), "--", "sleep", "1")
names = {key[2] for key in self_samples(report(theirs, "--by", "none"))}
said = run("perf", "script", "--show-bpf-events", "-i", theirs).stdout
said = {re.sub("^bpf_prog_", "", name) for name in re.findall(r"KSYMBOL .* name (\S+)", said)}
programs = {re.sub("^bpf_prog_", "", name) for name in names if "bpf_prog_" in name}
check(any("zero" in name for name in names), "none of the kernel's functions among %s" % names)
check(programs and programs <= said, "BPF programs %r, and the recording names %r" % (programs, said))
for process in (watcher, busy):
    process.send_signal(signal.SIGINT)
    process.wait()
step("BPF programs that perf recorded have the names that it recorded")

empty = path("empty.data")
wperf("record", "-q", "-e", "cpu-clock", "-F", "1", "-o", empty, "--", "true")
profile = report(empty)
equal("samples of an empty recording", profile["tallies"]["samples"], 0)
has("an empty recording", profile["talk"], "no samples were recorded")
equal("its event", [profile["recording"][name] for name in ("event", "freq")], ["cpu-clock", 1])
equal("with an empty one", report(first, "-i", empty, "--by", "none")["tallies"]["samples"],
      views[0]["tallies"]["samples"])
# As long as it was recorded, whatever was sampled; of several, all their lengths together.
idle = path("idle.data")
wperf("record", "-q", "-F", "1", "--duration", "0.3", "-o", idle, "--", "sleep", "60")
length = report(idle)["recording"]["duration"]
check(0.3 <= length < PATIENCE, "recorded for 0.3 s: duration %r" % length)
both = report(idle, "-i", empty)["recording"]["duration"]
check(abs(both - length - profile["recording"]["duration"]) < 1e-6, "duration of both: %r" % both)
for content in (b"", b"PERFILE", b"something else altogether " * 9):
    with open(path("nonsense"), "wb") as f:
        f.write(content)
    done = wperf("report", "-i", path("nonsense"), status=USAGE)
    check(done.stderr.startswith("wperf: "), "%r: %r" % (content[:9], done.stderr))
has("no such file", wperf("report", "-i", path("nothing"), status=USAGE).stderr, "No such file")
step("an empty recording, and files that are none")

seed = random.randrange(1 << 32)
print("          seed %d" % seed)
with open(first, "rb") as f:
    whole = f.read()
dice = random.Random(seed)
outcomes = {0: 0, 2: 0}
for at in [0, 1, 104] + [dice.randrange(len(whole)) for _ in range(20)]:
    with open(path("cut.data"), "wb") as f:
        f.write(whole[:at])
    done = wperf("report", "-i", path("cut.data"), "--format", "json", status=None)
    what = "cut at %d of %d: exit status %d: %s" % (at, len(whole), done.returncode, done.stderr)
    check(done.returncode in outcomes, what)
    outcomes[done.returncode] += 1
    if done.returncode == 0:
        profile = json.loads(done.stdout)
        conserve(profile)
        check(profile["recording"]["truncated"] or
              profile["tallies"]["samples"] == views[0]["tallies"]["samples"], what)
        check(profile["tallies"]["samples"] <= views[0]["tallies"]["samples"], what)
    else:
        check(re.search(r"offset|short|empty|bytes|ends", done.stderr), what)
step("cut at random: %d can be read, %d are refused" % (outcomes[0], outcomes[2]))
