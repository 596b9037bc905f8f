# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end scripts share: targets that are built and run, recordings, reports as JSON.

A script is run from anywhere, prints what it checked, and exits non-zero at the first thing that does
not hold. $WPERF names the wperf under test and $BUILD_DIR the folder of objects; both default to the
tree that the script stands in. Everything made lies in one temporary folder and goes away at the end,
as do the programs that were started, each by its own pid.
"""
import atexit
import contextlib
import ctypes
import glob
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD_DIR", "build"))
WPERF = os.path.abspath(os.environ.get("WPERF") or os.path.join(ROOT, "wperf"))
IS_SANITIZED = "asan" in os.path.basename(BUILD)
NR_CPUS = os.cpu_count()
PATIENCE = 60  # seconds until something that has to happen counts as not happening

GOOD, USAGE, NOT_PERMITTED = 0, 2, 4

scratch = tempfile.mkdtemp(prefix="wperf-e2e.")
os.chmod(scratch, 0o755)
started = []


@atexit.register
def clean_up():
    for process in reversed(started):
        if process.poll() is None:
            process.kill()
        process.wait()
        if os.path.exists("/tmp/perf-%d.map" % process.pid):
            os.unlink("/tmp/perf-%d.map" % process.pid)
    shutil.rmtree(scratch, ignore_errors=True)


def path(name):
    return os.path.join(scratch, name)


# ---- what holds ----

def fail(message):
    print("FAILED: " + message, flush=True)
    sys.exit(1)


def check(holds, message):
    if not holds:
        fail(message)


def equal(what, got, want):
    check(got == want, "%s: %r, not %r" % (what, got, want))


def has(what, text, part):
    check(part in text, "%s: no %r in:\n%s" % (what, part, text))


def wait_until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < deadline, "waited in vain: " + what)
        time.sleep(0.01)


def cpu_of(pid):
    """Seconds that the process has had on the CPU, in steps of 10 ms."""
    with open("/proc/%d/stat" % pid) as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def let_work(pid, seconds):
    """Until it has had that much more of the CPU, however busy the machine is."""
    end = cpu_of(pid) + seconds
    wait_until("it works", lambda: cpu_of(pid) >= end)


def tree(pid):
    """The process and its descendants, as far as they live."""
    try:
        return [pid] + [each for child in children(pid) for each in tree(child)]
    except OSError:
        return []


def states(pid):
    """Of its threads: "S" sleeps."""
    for stat in glob.glob("/proc/%d/task/*/stat" % pid):
        try:
            with open(stat) as f:
                yield f.read().rpartition(")")[2].split()[0]
        except OSError:
            pass


def wait_until_idle(*pids):
    """All threads sleep, three times in a row: each has returned from the write that its client has read."""
    def is_idle():
        for _ in range(3):
            if any(state != "S" for root in pids for pid in tree(root) for state in states(pid)):
                return False
            time.sleep(0.02)
        return True
    wait_until("the server has nothing to do", is_idle)


def within_4_sigma(what, part, whole, share):
    """part of whole draws, each a hit with that probability."""
    sigma = (whole * share * (1 - share)) ** 0.5
    check(abs(part - whole * share) <= 4 * sigma,
          "%s: %d of %d, expected %.1f +- 4 x %.1f" % (what, part, whole, whole * share, sigma))


def step(text):
    print("%6.2f s  %s" % (time.monotonic() - BEGIN, text), flush=True)


BEGIN = time.monotonic()


# ---- programs ----

def run(*argv, status=0, **options):
    """Runs to the end, fails unless it exits with that status (None: any); stdout and stderr as text."""
    options.setdefault("stdin", subprocess.DEVNULL)
    if "stdout" not in options:
        options["stdout"] = subprocess.PIPE
    done = subprocess.run(argv, stderr=subprocess.PIPE, encoding="utf-8", errors="surrogateescape",
                          timeout=PATIENCE, **options)
    check(status is None or done.returncode == status, "%s: exit status %d, not %s:\n%s%s" %
          (" ".join(map(str, argv)), done.returncode, status, done.stdout or "", done.stderr))
    return done


def wperf(*args, **options):
    return run(WPERF, *args, **options)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start(*argv, **options):
    """A program in the background that does not outlive the script."""
    options.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(argv, preexec_fn=die_with_parent, **options)
    started.append(process)
    return process


@contextlib.contextmanager
def beside_a_script():
    """What is started meanwhile ignores SIGINT, as what stands before an & in a shell's script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def start_target(*argv, ready=None, **options):
    """The same with lines from its stdout; waits for one that matches, and keeps it in .ready."""
    process = start(*argv, stdout=subprocess.PIPE, encoding="utf-8", **options)
    process.ready = None
    while ready and not process.ready:
        line = process.stdout.readline()
        check(line, "%s: ended before it said %r" % (argv[0], ready))
        process.ready = re.search(ready, line)
    return process


def stop(process, with_signal=signal.SIGTERM):
    """Ends a program and returns (exit status as the shell has it, what stdout still held)."""
    process.send_signal(with_signal)
    out = process.communicate(timeout=PATIENCE)[0]
    return shell_status(process.returncode), out


def shell_status(returncode):
    return 128 - returncode if returncode < 0 else returncode


def build(source, *flags, output=None):
    """tests/targets/SOURCE compiled into the scratch folder."""
    out = path(output or os.path.splitext(source)[0])
    compiler = "g++" if source.endswith(".cc") else os.environ.get("CC", "cc")
    run(compiler, "-O1", "-g", "-fno-omit-frame-pointer", "-Wall", "-o", out,
        os.path.join(ROOT, "tests/targets", source), "-lpthread", "-ldl", *flags)
    return out


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


# ---- recordings ----

class Recording:
    """wperf record in the background; what it said is in .talk once it has ended. under: what starts it."""
    count = 0

    def __init__(self, *args, output=None, under=(), **options):
        Recording.count += 1
        self.file = output or path("%d.data" % Recording.count)
        self.talk_file = path("%d.err" % Recording.count)
        with open(self.talk_file, "w") as talk:
            self.process = start(*under, WPERF, "record", "-v", "-o", self.file, *map(str, args),
                                 stderr=talk, **options)
        wait_until("wperf record attaches", self.is_attached)

    def read_talk(self):
        with open(self.talk_file, encoding="utf-8", errors="surrogateescape") as f:
            return f.read()

    def is_attached(self):
        has_attached = "wperf: attached\n" in self.read_talk()
        check(has_attached or self.process.poll() is None,
              "wperf record ended early:\n" + self.read_talk())
        return has_attached

    def stop(self, with_signal=signal.SIGINT, status=0):
        self.process.send_signal(with_signal)
        return self.wait(status)

    def wait(self, status=0):
        got = shell_status(self.process.wait(timeout=PATIENCE))
        self.talk = self.read_talk()
        check(got == status, "wperf record: exit status %d, not %d:\n%s" % (got, status, self.talk))
        return self


def report(file, *args, status=0, **options):
    """wperf report as JSON; conservation is checked on the way."""
    done = wperf("report", "--format", "json", "-i", file, *args, status=status, **options)
    profile = json.loads(done.stdout)
    profile["talk"] = done.stderr
    conserve(profile)
    return profile


def conserve(profile):
    """Nothing is counted twice or not at all, between the groups and inside of each."""
    tallies = profile["tallies"]
    equal("in requests + outside", tallies["in_requests"] + tallies["outside"], tallies["samples"])
    equal("sum of the groups' samples", sum(g["samples"] or 0 for g in profile["groups"]),
          tallies["samples"] - tallies["filtered"] - tallies["beside_calls"])
    for g in profile["groups"]:
        equal("sum of the functions' samples in " + g["path"],
              sum(f["samples"] or 0 for f in g["functions"]), g["samples"] or 0)


def requests_by_path(profile):
    return {g["path"]: g["requests"] for g in profile["groups"] if not g["outside"]}


def group(profile, name):
    found = [g for g in profile["groups"] if g["path"] == name]
    check(len(found) == 1, "no table %r among %r" % (name, [g["path"] for g in profile["groups"]]))
    return found[0]


def samples_of(profile, function):
    """Self samples of the functions of that name, over all groups."""
    return sum(f["samples"] for g in profile["groups"] for f in g["functions"]
               if f["function"] == function)


def cum_samples_of(profile, function):
    return sum(f["cum_samples"] for g in profile["groups"] for f in g["functions"]
               if f["function"] == function)


def has_perf():
    return shutil.which("perf") is not None


# ---- ELF files ----

class Elf:
    """Just enough of a 64-bit little-endian ELF file: symbols, and where a virtual address lies."""

    def __init__(self, file):
        with open(file, "rb") as f:
            self.bytes = f.read()
        self.path = file
        at, = struct.unpack_from("<Q", self.bytes, 0x28)
        size, nr = struct.unpack_from("<HH", self.bytes, 0x3a)
        # name, type, flags, addr, offset, size, link, info, addralign, entsize
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, at + i * size)
                         for i in range(nr)]

    def text_at(self, offset):
        return self.bytes[offset:self.bytes.index(b"\0", offset)].decode()

    def symbols(self):
        """(name, type, value, size) of what is defined in .symtab and .dynsym."""
        for section in self.sections:
            if section[1] not in (2, 11):  # SHT_SYMTAB, SHT_DYNSYM
                continue
            strings = self.sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], 24):
                name, info, _, index, value, size = struct.unpack_from("<IBBHQQ", self.bytes, at)
                if name and index and value:
                    yield self.text_at(strings + name), info & 15, value, size

    def function(self, name):
        """(virtual address, file offset, size) of a function."""
        for found, kind, value, size in self.symbols():
            if found == name and kind == 2:
                for _, section_type, flags, addr, offset, length, *_ in self.sections:
                    if section_type == 1 and addr <= value < addr + length:
                        return value, value - addr + offset, size
        fail("%s has no function %s" % (self.path, name))

    def build_id(self):
        for section in self.sections:
            if section[1] != 7:  # SHT_NOTE
                continue
            name_size, size, kind = struct.unpack_from("<III", self.bytes, section[4])
            start = section[4] + 12 + (name_size + 3) // 4 * 4
            if kind == 3 and self.bytes[section[4] + 12:][:4] == b"GNU\0":
                return self.bytes[start:start + size].hex()
        return None
