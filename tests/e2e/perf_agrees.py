#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wperf and perf read the same recordings, wperf's and perf's own, and find the same: how many samples
there are, and in which functions. Only names may differ, and only where one address has several."""
import collections
import http.client
import socket
import threading

from lib import *

COMPUTE = """
import json, re, time
end = time.monotonic() + 1
while time.monotonic() < end:
    text = json.dumps({str(i): [i, i * 0.5] for i in range(3000)})
    json.loads(text)
    sorted(re.findall("[0-9]+", text))
"""
# What compilers append to the names of the pieces and copies of a function, and linkers for versions.
SUFFIX = re.compile(r"(\.(cold|part|isra|constprop|lto_priv|localalias)(\.\d+)?|@@?[A-Z][\w.]*)+$")


# ---- what runs while it is recorded ----

class Load:
    """Threads that keep a target busy until the end of a with block."""
    def __init__(self, work):
        self.work, self.is_over, self.threads = work, threading.Event(), []

    def loop(self):
        ask = self.work()
        while not self.is_over.is_set():
            ask()

    def __enter__(self):
        self.is_over.clear()
        self.threads = [threading.Thread(target=self.loop, daemon=True) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(PATIENCE)


def example_server():
    server = start_target(os.path.join(BUILD, "examples/server"),
                          ready=r"listening on 127\.0\.0\.1:(\d+)")

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", int(server.ready[1]), timeout=PATIENCE)

        def ask():
            for asked in ("/burn?ms=1", "/json?n=300", "/fib?n=18", "/user/7"):
                connection.request("GET", asked)
                connection.getresponse().read()
        return ask
    return server, Load(client)


def redis():
    address = path("redis.socket")
    server = start("redis-server", "--port", "0", "--unixsocket", address, "--save", "",
                   "--appendonly", "no", "--dir", scratch, stdout=subprocess.DEVNULL)
    wait_until("redis listens", lambda: os.path.exists(address))
    commands = b"".join(b"SET key:%d value\r\nLPUSH list %d\r\nSORT list LIMIT 0 5\r\n"
                        b"LTRIM list 0 50\r\n" % (i, i) for i in range(50))

    def client():
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        connection.settimeout(PATIENCE)

        def ask():
            connection.sendall(commands + b"ECHO end-of-answers\r\n")
            got = b""
            while not got.endswith(b"end-of-answers\r\n"):
                got += connection.recv(1 << 16)
        return ask
    return server, Load(client)


# ---- what perf finds ----

def perf(*args):
    done = run("perf", *args, status=None)
    check(done.returncode == 0, "perf %s: exit status %d:\n%s" % (args[0], done.returncode, done.stderr))
    return done.stdout


def samples_of_perf(file):
    """(function, module) that each sample hit, by perf script. -G: without callers, since perf drops the
    whole chain of a sample whose frame pointers led to an address that it takes for a mark."""
    found = collections.Counter()
    for line in perf("script", "-i", file, "-G", "-F", "event,ip,sym,dso", "--no-inline").splitlines():
        event, _, frame = line.strip().partition(": ")
        if event == "cpu-clock":
            match = re.fullmatch(r"\s*[0-9a-f]+ (.*) \((.*)\)", frame)
            check(match, "perf script says %r" % line)
            found[match[1], os.path.basename(match[2])] += 1
    return found


def count_of_perf_report(file):
    lines = perf("report", "-i", file, "--stdio", "--no-children", "-g", "none", "--no-inline",
                 "-F", "sample,sym", "-t", "|").splitlines()
    total, is_wanted = 0, True
    for line in lines:
        if line.startswith("# Samples:"):
            is_wanted = "'cpu-clock'" in line
        elif is_wanted and line.strip() and not line.startswith("#"):
            total += int(line.split("|")[0])
    return total


# ---- comparing ----

def aliases_in_elf(file):
    """Symbol -> the least of all names of its address."""
    names = collections.defaultdict(set)
    elf = Elf(file)
    build_id = elf.build_id()
    debug = build_id and "/usr/lib/debug/.build-id/%s/%s.debug" % (build_id[:2], build_id[2:])
    for each in [elf] + ([Elf(debug)] if debug and os.path.exists(debug) else []):
        for name, kind, value, _ in each.symbols():
            if kind in (0, 2, 10):  # STT_NOTYPE, STT_FUNC, STT_GNU_IFUNC
                names[value].add(SUFFIX.sub("", name))
    return least_of(names)


def aliases_in_kernel():
    names = collections.defaultdict(set)
    with open("/proc/kallsyms") as f:
        for line in f:
            address, _, name, *module = line.split()
            names[address].add(SUFFIX.sub("", name))
    return least_of(names)


def least_of(names):
    """Names that share an address with one name are the same as each other: one class."""
    least = {}
    for group_of_names in names.values():
        known = {least.get(name, name) for name in group_of_names}
        best = min(known)
        for name in group_of_names | known:
            least[name] = best
    return least


class Canon:
    """One name for each address; tells which names it has made one."""
    def __init__(self):
        self.of_module = {}

    def learn(self, module):
        key = os.path.basename(module)
        if key in self.of_module:
            return
        if key == "[kernel]":
            self.of_module[key] = aliases_in_kernel()
        elif os.path.isfile(module):
            self.of_module[key] = aliases_in_elf(module)

    def name(self, function, module):
        module = {"[kernel.kallsyms]": "[kernel]", "[guest.kernel.kallsyms]": "[kernel]"}.get(
            module, os.path.basename(module))
        if re.fullmatch(r"0x[0-9a-f]+|\[unknown\]", function):
            return "?", module
        function = SUFFIX.sub("", function)
        aliases = self.of_module.get(module, {})
        for _ in range(4):  # an alias of an alias
            function = aliases.get(function, function)
        return function, module


def move(ours, theirs, key, other):
    """What wperf calls key and perf calls other is the other in both; says so."""
    moved = min(ours[key] - theirs[key], theirs[other] - ours[other])
    if moved > 0:
        ours[key] -= moved
        ours[other] += moved
        print("          %d in %s of %s: %s of %s for perf" % (moved, *key, *other))


def explain_bpf(ours, theirs):
    """The programs that send marks run in the target, and are gone when perf asks for their names. Of those that others
    have loaded perf's own recordings say the names, which perf takes for files."""
    for key in [key for key in ours if key[0].startswith("bpf_prog_")]:
        move(ours, theirs, key, (key[0], key[0]) if (key[0], key[0]) in theirs else ("?", "[unknown]"))


def explain_nameless(ours, theirs):
    """Code that the kernel made and has no name for, a filter of classic BPF: it is the kernel's for wperf, by its
    address, and nobody's for perf."""
    move(ours, theirs, ("?", "[kernel]"), ("?", "[unknown]"))


def explain_plt(ours, theirs):
    """perf before 6.3 takes the entries of .plt to stand in the order of their relocations, which those
    of libc do not, and knows none of .plt.got, nor names for functions chosen at load time. So what
    wperf calls NAME@plt, by the slot that the entry jumps through, is another's, "@plt", "[unknown]"
    or _init, the last symbol before them, there."""
    for key in [key for key in ours if key[0].endswith("@plt")]:
        for other in [k for k in theirs if k[1] == key[1] and
                      (k[0] in ("?", "_init") or k[0].endswith("@plt"))]:
            move(ours, theirs, key, other)


def compare(name, file, canon):
    profile = report(file, "--no-inline", "--by", "none")
    ours, theirs = collections.Counter(), collections.Counter()
    spellings = collections.defaultdict(set)
    functions = [f for g in profile["groups"] for f in g["functions"] if f["samples"]]
    for f in functions:
        canon.learn(f["module"] or "")
    for f in functions:
        key = canon.name(f["function"], f["module"] or "")
        ours[key] += f["samples"]
        spellings[key].add(f["function"])
    by_perf = samples_of_perf(file)
    for (function, module), nr in by_perf.items():
        key = canon.name(function, module)
        theirs[key] += nr
        if key in spellings:
            spellings[key].add(function)
    nr_samples = profile["tallies"]["samples"]
    check(nr_samples > 50, "%s: only %d samples" % (name, nr_samples))
    equal(name + ": samples that perf script prints", sum(by_perf.values()), nr_samples)
    equal(name + ": samples that perf report counts", count_of_perf_report(file), nr_samples)
    explain_plt(ours, theirs)
    explain_bpf(ours, theirs)
    explain_nameless(ours, theirs)
    differ = ["%s in %s: %d by wperf, %d by perf" % (key + (ours[key], theirs[key]))
              for key in sorted(set(ours) | set(theirs)) if ours[key] != theirs[key]]
    check(not differ, "%s: self samples differ:\n  %s" % (name, "\n  ".join(differ)))
    renamed = {key: s for key, s in spellings.items() if len({SUFFIX.sub("", n) for n in s}) > 1}
    step("%s: %d samples in %d functions" % (name, nr_samples, len(ours)))
    for key, names in sorted(renamed.items()):
        if "?" not in key:
            print("          same address in %s: %s" % (key[1], " = ".join(sorted(names))))


def record_with(recorder, file, *target):
    if recorder == "wperf":
        wperf("record", "-q", "-F", "1500", "-e", "cpu-clock", "-o", file, *target)
    else:
        perf("record", "-q", "-F", "1500", "-e", "cpu-clock", *recorder.split()[1:], "-o", file,
             *target)


def check_kernel():
    """Its mapping is from _stext to _etext, as kallsyms has them."""
    file = path("kernel.data")
    wperf("record", "-q", "-o", file, "--", "true")
    listed = perf("script", "--show-mmap-events", "-i", file)
    start, size = re.search(r"\[(0x[0-9a-f]+)\((0x[0-9a-f]+)\).*\[kernel\.kallsyms\]_stext", listed).groups()
    with open("/proc/kallsyms") as f:
        text = {name: int(addr, 16) for addr, _, name, *_ in map(str.split, f) if name in ("_stext", "_etext")}
    equal("the kernel's text", (int(start, 16), int(start, 16) + int(size, 16)), (text["_stext"], text["_etext"]))
    step("the kernel's text: %s bytes from %s on" % (size, start))


check_kernel()
canon = Canon()
for make in (example_server, redis):
    server, load = make()
    for recorder in ("wperf", "perf -g", "perf"):
        file = path("%s.%s.data" % (make.__name__, recorder.replace(" ", "")))
        with load:
            record_with(recorder, file, "-p", str(server.pid), "--", "sleep", "0.6")
        compare("%s, recorded by %s" % (make.__name__, recorder), file, canon)
    stop(server)
for recorder in ("wperf", "perf -g", "perf"):
    file = path("python.%s.data" % recorder.replace(" ", ""))
    record_with(recorder, file, "--", "python3", "-c", COMPUTE)
    compare("python3, recorded by " + recorder, file, canon)
