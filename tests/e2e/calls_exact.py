#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where calls are easily missed a number is all the calls there were, or its row says that it is not."""
import fcntl
import resource
import select

from lib import *

target = build("e2e_exact.c")
OPTIONS = ("--marker", "none", "--max-overhead", "100")


def ask(process, line):
    """The calls of work() that it brought."""
    process.stdin.write(line + "\n")
    process.stdin.flush()
    got = process.stdout.readline().split()
    check(got[:1] == ["done"], "the target said %r to %r" % (got, line))
    return int(got[1])


def rows_of(recording, name, *options):
    """Calls of all groups; are all exact?"""
    rows = [f for g in report(recording.file, *options)["groups"] for f in g["functions"] if f["function"] == name]
    return sum(f["ncalls"] or 0 for f in rows), all(f["exact"] is not False for f in rows)


def has_ended(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[0] == "Z"


def leaderless(*argv, **options):
    process = start_target(*argv, ready="ready", stdin=subprocess.PIPE, **options)
    wait_until("its first thread has ended", lambda: has_ended(process.pid))
    return process


def check_leaderless():
    """Of a process whose first thread has ended, too; when the one ends by which it is counted, others are missed."""
    process = leaderless(target, "leaderless")
    recording = Recording("-p", process.pid, *OPTIONS, "--calls", "work")
    want = sum(ask(process, "threads 1000") for _ in range(2))
    recording.stop()
    equal("calls without a first thread", rows_of(recording, "work"), (want, True))
    recording = Recording("-p", process.pid, *OPTIONS, "--calls", "work")
    ask(process, "hand")
    wait_until("the new thread is found", lambda: "by which its calls were counted" in recording.read_talk())
    want = ask(process, "threads 1000")
    recording.stop()
    got, is_exact = rows_of(recording, "work")
    equal("calls by another thread", (got, is_exact), (want, False))
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    step("without a first thread: %d calls" % want)


def check_ending():
    """The first thread ends while others are counted."""
    process = start_target(target, "ending", ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, *OPTIONS, "--calls", "work")
    want = ask(process, "go") + ask(process, "threads 1000")
    wait_until("the end is seen", lambda: "by which its calls were counted" in recording.read_talk())
    want += ask(process, "threads 1000")
    recording.stop()
    got, is_exact = rows_of(recording, "work")
    check(want // 2 <= got <= want and not is_exact, "%d of %d calls, exact: %r" % (got, want, is_exact))
    process.stdin.close()
    step("a first thread that ends: %d of %d calls" % (got, want))


PROGRAM = '''
import ctypes, sys, threading
def work(n):
    return n
def serve():
    for line in sys.stdin:
        threads = [threading.Thread(target=lambda: [work(i) for i in range(int(line))]) for _ in range(2)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        print("done", 2 * int(line), flush=True)
threading.Thread(target=serve).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
'''


def check_python():
    file = path("leaderless.py")
    with open(file, "w") as f:
        f.write(PROGRAM)
    process = leaderless("/usr/bin/python3", file)
    recording = Recording("-p", process.pid, *OPTIONS, "--calls", "python")
    want = ask(process, "500")
    recording.stop()
    equal("Python's calls without a first thread", rows_of(recording, "work"), (want, True))
    step("Python without a first thread: %d calls" % want)


def make_plugin(file, ahead):
    """A library whose plug() lies behind so many bytes."""
    with open(path("plug.c"), "w") as f:
        f.write("__asm__(\".pushsection .text\\n.skip %d, 0x90\\n.popsection\");\n"
                "__attribute__((noipa)) void plug(void) { __asm__ volatile(\"push %%rbx; pop %%rbx\"); }\n" % ahead)
    run("gcc", "-O1", "-g", "-fno-toplevel-reorder", "-shared", "-fPIC", "-o", file, path("plug.c"))


def check_replaced():
    """A library that takes the path of another one is counted from a while after; what the one before had is exact."""
    plugin, other = path("libplug.so"), path("other.so")
    make_plugin(plugin, 0)
    process = start_target(target, "serve", ready="ready", stdin=subprocess.PIPE)
    ask(process, "load " + plugin)
    recording = Recording("-p", process.pid, *OPTIONS, "--calls", "plug@libplug*")
    ask(process, "plug 100")
    make_plugin(other, 64)
    os.rename(other, plugin)
    ask(process, "load " + plugin)
    wait_until("it is found", lambda: "1 more functions are counted from here on" in recording.read_talk())
    ask(process, "plug 1000")
    # Who has the first one yet has probes in that, whatever stands at its path.
    ask(process, "fork")
    make_plugin(other, 4096)
    os.rename(other, plugin)
    wait_until("the child is found", lambda: ": its calls are counted from here on" in recording.read_talk())
    ask(process, "plug 10000")
    recording.stop()
    equal("calls of all of them", rows_of(recording, "plug"), (11100, False))
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    step("a library that was replaced: 11100 calls")


def go_until_taken_off(process, has_descriptors):
    """A recording in which hot() takes too much: calls of work() until it is taken off, and from then on."""
    recording = Recording("-p", process.pid, "--marker", "none", "--calls", "hot", "--calls", "work")
    if not has_descriptors:
        nr = len(os.listdir("/proc/%d/fd" % recording.process.pid)) + 4
        resource.prlimit(recording.process.pid, resource.RLIMIT_NOFILE, (nr, nr))
    want = 0
    while "no more calls of hot are counted" not in recording.read_talk():
        want += ask(process, "crowd 1")
    begin = cpu_of_all(process.pid)
    while cpu_of_all(process.pid) < begin + 3:
        want += ask(process, "crowd 100")
    recording.stop()
    return recording, want


def cpu_of_all(pid):
    return sum(map(cpu_of, tree(pid)))


def check_overhead():
    """When what takes too much goes, the rest stays, for good; without descriptors for new probes beside the old ones some
    calls are missed."""
    process = start_target(target, "crowd", ready="ready", stdin=subprocess.PIPE)
    recording, want = go_until_taken_off(process, True)
    equal("calls of what takes little", rows_of(recording, "work"), (want, True))
    check("no more calls of work" not in recording.talk, recording.talk)
    check(not rows_of(recording, "hot")[1], "calls of what was taken off are exact")
    step("taken off: all %d of the other" % want)
    recording, want = go_until_taken_off(process, False)
    got, is_exact = rows_of(recording, "work")
    check(0 < got <= want and not is_exact, "%d of %d calls, exact: %r" % (got, want, is_exact))
    has("why", recording.talk, "calls are missing that were made while probes were replaced: cannot ")
    check("no more calls of work" not in recording.talk, recording.talk)
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    step("taken off, without descriptors: %d of %d of the other" % (got, want))


def check_orphan():
    """Whose parent has ended before the events are enabled, and began when processes had been looked for, is in it as others
    are. wperf waits meanwhile: it has a line to say, and nobody reads."""
    process = start_target(target, "serve", ready="ready", stdin=subprocess.PIPE)
    here, there = os.pipe()
    fcntl.fcntl(there, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(there, False)
    stderr = os.open("/proc/self/fd/%d" % there, os.O_WRONLY)  # where who writes waits
    file, said = path("orphan.data"), b""
    recorder = start(WPERF, "record", "-v", "-o", file, "-p", str(process.pid), *OPTIONS, "--calls", "work",
                     stderr=stderr)
    os.close(stderr)
    def read():
        check(select.select([here], [], [], PATIENCE)[0], "wperf says no more than:\n" + said.decode())
        return os.read(here, 4096)

    while b"counts work in " not in said:
        said += read()
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(there, b".")

    def waits():
        with open("/proc/%d/wchan" % recorder.pid) as f:
            return "pipe_write" in f.read()

    wait_until("wperf waits for its reader", waits)
    ask(process, "orphan")
    while b": its calls are counted from here on" not in said:
        said += read()
    want = ask(process, "threads 1000")
    recorder.send_signal(signal.SIGINT)
    os.close(there)
    while read():
        pass
    equal("exit status of wperf", recorder.wait(PATIENCE), 0)
    rows = [(g["path"].split("/")[0], f["ncalls"], f["exact"]) for g in report(file, "--by", "process")["groups"]
            for f in g["functions"] if f["function"] == "work" and f["ncalls"]]
    equal("process, calls", rows, [("e2e_exact", want, False)])
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    step("an orphan: %d calls" % want)


for one in (check_leaderless, check_ending, check_python, check_orphan, check_replaced, check_overhead):
    if len(sys.argv) < 2 or one.__name__ in sys.argv[1:]:
        one()
