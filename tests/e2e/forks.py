#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who is recorded, from when to when: children of every kind, commands and their exit status, the ways
in which a recording ends, the options that choose the samples, and what cannot be recorded at all."""
import contextlib

from lib import *

target = build("e2e_forks.c")
MARKER = ("--marker", "func:work")


def record(*args, status=0, marker=()):
    """One that runs to its end by itself."""
    file = path("own.data")
    done = wperf("record", "-o", file, *marker, *map(str, args), status=status)
    return file, done.stderr


def data_size(file):
    with open(file, "rb") as f:
        return struct.unpack_from("<Q", f.read(104), 48)[0]


def calls_of(file):
    """Requests by name of the process, without its pid."""
    calls = {}
    for g in report(file, "--by", "process")["groups"]:
        if g["requests"]:
            name = g["path"].split("/")[0]
            calls[name] = calls.get(name, 0) + g["requests"]
    return calls


def forever():
    return start_target(target, "forever", ready="call", bufsize=1)


def check_family():
    process = start_target(target, "tree", ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, *MARKER)
    process.stdin.write("go\n")
    process.stdin.flush()
    recording.wait()
    process.wait(PATIENCE)
    want = {"before": 5, "of-before": 6, "e2e_forks": 3, "after": 7, "grandchild": 8, "exe": 11}
    equal("calls by process", calls_of(recording.file), want)
    check(report(recording.file)["tallies"]["samples"] > 40, "hardly any samples")
    step("children before and after the attach, grandchildren, exec: %d calls" % sum(want.values()))

    file, _ = record("--", "sh", "-c", "echo go | %s tree & %s calls 9 1; wait" % (target, target))
    names = {g["path"].split("/")[0] for g in report(file, "--by", "process")["groups"]}
    check({"e2e_forks", "before", "after", "grandchild"} <= names, "a shell's children: %s" % names)
    file, _ = record("--", target, "calls", 9, marker=MARKER)
    equal("calls of a command", calls_of(file), {"e2e_forks": 9})
    step("a command and its children")


def say(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()


def has_lost_its_first_thread(process):
    with open("/proc/%d/stat" % process.pid) as f:
        return f.read().rpartition(")")[2].split()[0] == "Z"


def check_headless():
    """A process whose first thread has ended, before the recording or in the midst of it, lives on."""
    for is_before in (True, False):
        process = start_target(target, "headless", "20", ready="ready", stdin=subprocess.PIPE)
        if is_before:
            say(process, "end")
            wait_until("the first thread ends", lambda: has_lost_its_first_thread(process))
        recording = Recording("-p", process.pid, *MARKER)
        if not is_before:
            say(process, "end")
            wait_until("the first thread ends", lambda: has_lost_its_first_thread(process))
            time.sleep(1.2)  # until wperf has looked at who has ended, which it does twice a second
        say(process, "call")
        recording.wait()
        process.wait(PATIENCE)
        profile = report(recording.file)
        equal("calls without the first thread", sum(g["requests"] for g in profile["groups"]), 20)
        check(samples_of(profile, "burn") > 40, "hardly any samples: %s" % profile["tallies"])
    step("the first thread ends before the attach, and after it: 20 calls of the second")


def check_exit_status():
    for args, status in ((("exit", 3), 3), (("exit", 0), 0), (("signal", 15), 128 + 15),
                         (("signal", 9), 128 + 9)):
        record("--", target, *args, status=status)
    run("env", "--ignore-signal=CHLD", WPERF, "record", "-o", path("own.data"), "--", target, "exit", "3",
        status=3)
    # One that wperf ends has a status if it has an answer of its own to that.
    for trap, status in (("exit 3", 3), ("-", 0)):
        waits = path("waits")
        recording = Recording("--", "sh", "-c", "trap '%s' TERM; touch %s; while :; do sleep 0.01; done" % (trap, waits))
        wait_until("the command runs", lambda: os.path.exists(waits))
        recording.stop(signal.SIGTERM, status)
        os.unlink(waits)
    bystander = forever()
    file, _ = record("-p", bystander.pid, "--", target, "calls", "3", "50", marker=MARKER)
    equal("processes of -p PID -- COMMAND", list(calls_of(file)), ["e2e_forks"])
    equal("their number", len(report(file, "--by", "process")["groups"]), 1)
    has("its name", report(file, "--by", "process")["groups"][0]["path"], "/%d" % bystander.pid)
    other = forever()
    file, _ = record("-p", "%d,%d" % (bystander.pid, other.pid), "--", "sleep", "0.3")
    paths = {g["path"] for g in report(file, "--by", "process")["groups"]}
    equal("processes of -p A,B", paths, {"e2e_forks/%d" % p.pid for p in (bystander, other)})
    for process in (bystander, other):
        check(process.poll() is None, "a target ended with its recording")
        stop(process)
    step("exit status passed on, -p PID -- COMMAND, -p A,B")


def check_ends():
    """However a recording ends, it is whole."""
    process = forever()
    for sent, how in ((signal.SIGINT, contextlib.nullcontext), (signal.SIGTERM, contextlib.nullcontext),
                      (signal.SIGINT, beside_a_script)):
        with how():
            recording = Recording("-p", process.pid, *MARKER)
        let_work(process.pid, 0.1)
        recording.stop(sent)
        check(data_size(recording.file) > 0, "%s: the header has no size of data" % sent)
        profile = report(recording.file)
        equal("truncated", profile["recording"]["truncated"], False)
        check(profile["tallies"]["samples"] > 10, "hardly any samples")
        check(os.path.getsize(recording.file) > data_size(recording.file), "features are missing")
    file, _ = record("--duration", "0.4", "-p", process.pid)
    length = report(file)["recording"]["duration"]
    check(0.1 < length < 30, "--duration 0.4 took %s s" % length)
    file, _ = record("--max-size", "200K", "-F", "5000", "-p", process.pid)
    check(200 << 10 <= os.path.getsize(file) < 20 << 20, "--max-size 200K: %d" % os.path.getsize(file))
    check(data_size(file) > 0 and report(file)["tallies"]["samples"] > 0, "--max-size: not whole")
    stop(process)
    recording = Recording("-p", forever().pid, *MARKER)
    os.kill(started[-2].pid, signal.SIGKILL)
    recording.wait()
    check(data_size(recording.file) > 0, "the target's end: the header has no size of data")
    has("the last file", "".join(os.listdir(scratch)), "own.data.old")
    step("SIGINT, SIGTERM, --duration, --max-size, the target's end")


def check_heirs():
    """A process that was given ends, and what it has started goes on: so does the recording, to the end of all."""
    parent = start("sh", "-c", "read go; %s calls 20 30 & exit 0" % target, stdin=subprocess.PIPE)
    recording = Recording("-p", parent.pid, "--marker", "none")
    parent.stdin.write(b"go\n")
    parent.stdin.close()
    equal("exit status of the parent", parent.wait(PATIENCE), 0)
    recording.wait()
    ms = cum_samples_of(report(recording.file), "work")
    check(ms > 400, "%d samples of a child that was on the CPU for 600 ms" % ms)
    step("a target's child goes on without it: %d samples" % ms)


def attr_of(file):
    """sample_period or sample_freq, sample_type and flags of the first event (struct perf_event_attr)."""
    with open(file, "rb") as f:
        content = f.read()
    at, = struct.unpack_from("<Q", content, 24)
    period, sample_type, _, flags = struct.unpack_from("<QQQQ", content, at + 16)
    return period, sample_type, flags


def check_sampling():
    command = ("--", target, "calls", "100", "2")
    file, _ = record("-F", "250", *command)
    period, _, flags = attr_of(file)
    equal("-F 250", (period, bool(flags & 1 << 10)), (250, True))
    file, _ = record("-e", "cpu-clock", "-c", "2000000", *command)
    period, _, flags = attr_of(file)
    equal("-c 2000000", (period, bool(flags & 1 << 10)), (2000000, False))
    profile = report(file)
    # 200 ms of CPU and 2 ms a sample; the CPU's own clock says how many that is.
    check(50 <= profile["tallies"]["samples"] <= 200, "-c: %d samples" % profile["tallies"]["samples"])
    file, _ = record("-e", "task-clock", *command)
    equal("-e task-clock", report(file)["recording"]["event"], "task-clock")
    for mode, has_chain in (("none", False), ("fp", True), ("auto", True)):
        file, _ = record("--call-graph", mode, *command)
        equal("--call-graph " + mode, bool(attr_of(file)[1] & 1 << 5), has_chain)
        profile = report(file)
        below_main = cum_samples_of(profile, "main")
        check((below_main > 50) == has_chain, "--call-graph %s: %d below main" % (mode, below_main))
    step("-F, -c, -e, --call-graph")


# pause(), over and over: it takes no libc of 32 bits.
PAUSES = """
.globl _start
_start: mov $29, %eax
 int $0x80
 jmp _start
"""


def check_32_bit():
    program = path("pauses")
    with open(program + ".s", "w") as f:
        f.write(PAUSES)
    run("gcc", "-m32", "-nostdlib", "-static", "-o", program, program + ".s")
    process = start_target(program)
    pid = str(process.pid)
    for command in (("probes", "-p", pid), ("record", "-o", path("none.data"), "--marker", "func:work", "-p", pid),
                    ("record", "-o", path("none.data"), "--calls", "work", "-p", pid)):
        equal(" ".join(command), wperf(*command, status=USAGE).stderr,
              "wperf: process %s: a 32-bit program: probes take 64-bit ones\n" % pid)
    stop(process)


def check_refusals():
    process = forever()
    pid = str(process.pid)
    free_pid = run("sh", "-c", "echo $$").stdout.strip()
    refused = (
        (("-e", "no-such-event", "-p", pid), "no-such-event", True),
        (("--marker", "func:wrok", "-p", pid), "work", True),
        (("--marker", "begin=usdt:no:such,end=usdt:no:such", "-p", pid), "no:such", True),
        (("--marker", "nonsense:", "-p", pid), "nonsense", True),
        (("--marker", "func:mallok@libc", "--", target, "calls", "3"), "Nearest: malloc", True),
        (("-p", free_pid), free_pid, False),
        (("-p", "x"), "-p x", False),
        (("-p", pid, "-F", "1", "-c", "1"), "-F", False),
        (("-p", pid, "-m", "2000000"), "-m 2000000: neither pages nor a size", False),
        (("-p", pid, "-e", "cpu-clock", "-c", "9999"), "-c 9999", True),
        ((), "nothing to record", True),
        (("--", "/no/such/program"), "/no/such/program", False),
        (("-p", pid, "--duration", "0"), "--duration", False),
        (("-p", pid, "--call-graph", "x"), "--call-graph", False),
    )
    for args, part, has_remedy in refused:
        done = wperf("record", "-q", "-o", path("none.data"), *args, status=USAGE)
        lines = done.stderr.splitlines()
        check(lines and lines[0].startswith("wperf: ") and part in done.stderr,
              "%s: %r" % (args, done.stderr))
        equal("%s: lines (error, remedy):\n%s" % (args, done.stderr), len(lines),
              2 if has_remedy else 1)
        check(not os.path.exists(path("none.data")), "%s: it left a file" % (args,))
    file, talk = record("--duration", "0.3", "-p", pid, marker=("--marker", "func:never_called"))
    has("a marker that is never hit", talk, "marker never hit: func:never_called")
    equal("its requests", sum(g["requests"] for g in report(file)["groups"]), 0)
    check(process.poll() is None, "the target has ended")
    stop(process)
    check_32_bit()
    step("what cannot be recorded, and how that is said")


check_family()
check_headless()
check_exit_status()
check_ends()
check_heirs()
check_sampling()
check_refusals()

for i in range(5 if IS_SANITIZED else 20):
    brief = start("sleep", "0.0%d" % (i % 5))
    done = wperf("record", "-q", "-o", path("brief.data"), "-p", str(brief.pid), status=None)
    check((done.returncode, done.stderr) == (0, "") or
          (done.returncode == USAGE and re.search("No such process|pid [0-9]+ has ended", done.stderr)),
          "attached to a process that ends: %d %s" % (done.returncode, done.stderr))
    brief.wait()
step("processes that end while wperf attaches")
