#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wperf live on the example server: every request is printed once, while the server runs on and before
the recorder is told to stop; what is printed at the end adds up; nothing is left behind."""
import collections
import resource
import socket
import threading

from lib import *

NR_CLIENTS = 4
ASKED = {"/": ["/"] * 20, "/burn": ["/burn?ms=5"] * 10, "/user/{id}": ["/user/%d" % i for i in range(30)],
         "/nowhere": ["/nowhere"]}
WANT = {name: NR_CLIENTS * len(paths) for name, paths in ASKED.items()}
NR = sum(WANT.values())


def ask(paths):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        answers = s.makefile("rb")
        for asked in paths:
            s.sendall(b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n" % asked.encode())
            length = 0
            for line in iter(answers.readline, b"\r\n"):
                check(line, "the server closed the connection")
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)


def load(paths_of_client):
    clients = [threading.Thread(target=ask, args=(paths_of_client(i),)) for i in range(NR_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def asked_of_all(_):
    return [asked for paths in ASKED.values() for asked in paths]


# AddressSanitizer keeps what was freed, up to 256 MiB; this test is about what was not.
ENV = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1")


class Live:
    """wperf live in the background; its lines as they come."""
    count = 0

    def __init__(self, *args, wants_lines=True):
        Live.count += 1
        self.talk_file = path("live%d.err" % Live.count)
        with open(self.talk_file, "w") as talk:
            self.process = start(WPERF, "live", "-v", "-p", str(server.pid), *args, stderr=talk,
                                 stdout=subprocess.PIPE, env=ENV)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        if wants_lines:
            self.reader.start()
        wait_until("wperf live attaches", self.is_attached)
        self.recorder, = children(self.process.pid)

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode())

    def talk(self):
        with open(self.talk_file, encoding="utf-8", errors="surrogateescape") as f:
            return f.read()

    def is_attached(self):
        check(self.process.poll() is None, "wperf live ended early:\n" + self.talk())
        return "wperf: attached\n" in self.talk()

    def wait_for_lines(self, nr):
        wait_until("%d lines of wperf live" % nr, lambda: len(self.lines) >= nr)
        check(self.process.poll() is None, "wperf live ended by itself:\n" + self.talk())

    def end(self, with_signal=signal.SIGINT, status=0):
        if with_signal:
            self.process.send_signal(with_signal)
        got = shell_status(self.process.wait(timeout=PATIENCE))
        equal("exit status of wperf live:\n" + self.talk(), got, status)
        if self.reader.is_alive():
            self.reader.join(PATIENCE)
        wait_until("the recorder is gone", lambda: not os.path.exists("/proc/%d" % self.recorder))
        return self.talk()


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def requests_of_summary(text):
    """Endpoint -> requests, of the lines below the title."""
    lines = text[text.index("requests unfinished"):].splitlines()[1:]
    rows = [line.split() for line in lines if re.match(r" +\d+ +\d+ ", line)]
    return {row[-1]: int(row[0]) for row in rows}


server = start_target(os.path.join(BUILD, "examples/server"), "--threads", str(NR_CLIENTS),
                      ready=r"listening on 127\.0\.0\.1:(\d+)")
port = int(server.ready[1])

# ---- lines ----
with beside_a_script():
    live = Live("--format", "jsonl")
load(asked_of_all)
live.wait_for_lines(NR)
groups = [json.loads(line) for line in live.lines]
equal("lines by endpoint", collections.Counter(g["endpoint"] for g in groups), WANT)
equal("ids", sorted(g["id"] for g in groups), list(range(1, NR + 1)))
equal("statuses", {g["path"]: g["status"] for g in groups}["/nowhere"], 404)
check(sum(g["samples"] for g in groups if g["endpoint"] == "/burn") > NR_CLIENTS * 10, "/burn has no samples")
for g in groups:
    equal("samples of functions", sum(f["samples"] for f in g["functions"]), g["samples"])
    equal("keys", (g["wperf"], g["by"], g["requests"], g["outside"]), (1, "request", 1, False))
burners = {f["function"] for g in groups for f in g["functions"]}
check({"burn_f", "burn_g"} <= burners, "no burn_f and burn_g among %r" % burners)
talk = live.end()
equal("lines after the end", len(live.lines), NR)
equal("summary on stderr", requests_of_summary(talk), WANT)
has("tallies", talk, " samples in requests (")
step("%d lines, a summary" % NR)

# ---- tables ----
for name in ("SIGINT", "SIGTERM"):
    with open(path("tee.log"), "w") as log:
        log.write("of before\n")
    live = Live("--restrict", "3", "--tee", path("tee.log"))
    load(asked_of_all)
    wait_until("tables", lambda: sum(line.startswith("PATH: ") for line in live.lines) == NR)
    live.end(getattr(signal, name))
    text = "".join(live.lines)
    equal("tables by endpoint", collections.Counter(re.findall(r"^PATH: '(.*)'$", text, re.M)), WANT)
    equal("lines of 80 dashes", len(re.findall(r"^-{80}$", text, re.M)), 2 * NR)
    equal("summary after " + name, requests_of_summary(text), WANT)
    with open(path("tee.log")) as log:
        equal("--tee", log.read(), text)
live = Live("--slower-than", "2ms", "--path", "u", "--format", "jsonl")
load(asked_of_all)
live.wait_for_lines(WANT["/burn"])
live.end()  # On a busy machine others take as long.
groups = [json.loads(line) for line in live.lines]
check(all(g["elapsed"] > 0.002 for g in groups), "--slower-than lets faster ones pass")
equal("--slower-than", sum(g["endpoint"] == "/burn" for g in groups), WANT["/burn"])
step("tables, and which of them are asked for")

# ---- what came to a function: its calls are counted, so that it does not take a sample ----
ROOT = ("--calls", "serve_burn", "--root", "serve_burn")
WANT_BELOW = {"/burn": WANT["/burn"]}
for options in ((), ("--slower-than", "1us")):
    live = Live("--format", "jsonl", *ROOT, *options)
    load(asked_of_all)
    live.wait_for_lines(WANT["/burn"])
    talk = live.end()
    equal("lines by endpoint", collections.Counter(json.loads(line)["endpoint"] for line in live.lines), WANT_BELOW)
    equal("summary", requests_of_summary(talk), WANT_BELOW)
recording = Recording("-p", server.pid, *ROOT[:2])
load(asked_of_all)
recording.stop()
for by in ("request", "endpoint"):
    profile = report(recording.file, "--by", by, *ROOT[2:])
    equal("requests of a report by " + by,
          sum((collections.Counter({g["path"]: g["requests"]}) for g in profile["groups"] if not g["outside"]),
              collections.Counter()), WANT_BELOW)
step("--root: as many requests in tables, summary and report")

# ---- other ends ----
live = Live("--duration", "2", "--format", "jsonl")
load(asked_of_all)
live.end(with_signal=None)
equal("lines with --duration", len(live.lines), NR)
live = Live("--format", "jsonl", "--tee", path("gone.log"), wants_lines=False)
live.process.stdout.close()
load(asked_of_all)
talk = live.end(with_signal=None)
check("cannot" not in talk and "roken" not in talk, "what it says to a reader that has gone: " + talk)
with open(path("gone.log")) as log:
    equal("lines of --tee", collections.Counter(g["endpoint"] for g in map(json.loads, log) if g["requests"]),
          {name: nr for name, nr in requests_of_summary(talk).items() if nr})
live = Live("--format", "jsonl", "--tee", "/dev/full")
load(asked_of_all)
has("a --tee that is full", live.end(with_signal=None, status=USAGE),
    "wperf: cannot write /dev/full: No space left on device\n")
live = Live(wants_lines=False)
live.process.kill()
live.end(with_signal=None, status=128 + signal.SIGKILL)
step("--duration, a reader that has enough, SIGKILL")

for args, status, says in (
        (["-p", "2147483647"], USAGE, "pid 2147483647"),
        (["-p", str(server.pid), "--duration", "soon"], USAGE, "--duration soon"),
        (["-p", str(server.pid), "--marker", "func:no_such_function"], USAGE, "no_such_function"),
        (["-p", str(server.pid), "--tee", "/no/such/file"], USAGE, "/no/such/file: No such file"),
        (["-p", str(server.pid), "--by", "thread"], USAGE, "live: --by: a table is a request's here"),
        ([], USAGE, "nothing to look at")):
    done = wperf("live", *args, status=status)
    has("error", done.stderr, says)
    check(1 <= len(done.stderr.splitlines()) <= 2, "more than an error and its remedy:\n" + done.stderr)
    equal("output beside an error", done.stdout, "")
wperf("live", "-q", "--marker", "none", "--", "sh", "-c", "exit 7", status=7)


def with_descriptors(nr):
    limits = resource.RLIMIT_NOFILE, (nr, nr)
    return wperf("live", "--calls", "*@server", "-p", str(server.pid), status=USAGE,
                 preexec_fn=lambda: resource.setrlimit(*limits)).stderr


# The recorder fails before it has opened anything, and when all but the markers is there.
enough = int(re.search(r"a recording takes up to (\d+)", with_descriptors(16))[1])
talk = with_descriptors(enough)
equal("an error and its remedy:\n" + talk, [line for line in talk.splitlines() if "Too many open files" not in line],
      ["Raise the limit (ulimit -n)."])
step("errors are the recorder's own")

# ---- memory ----
live = Live("--format", "jsonl")
RSS_MAX_KIB = 8 * 1024  # more; the strings alone would be as much
sizes = []
# No more at a time than the rings have room for, whoever else wants the CPU.
for begin in range(0, 20000, 2000):
    load(lambda client: ["/user/%d" % (10 ** 9 + begin + i) for i in range(client, 2000, NR_CLIENTS)])
    live.wait_for_lines(begin + 2000)
    sizes.append(rss_kib(live.process.pid))
live.end()
equal("lines", len(live.lines), 20000)
check(sizes[-1] < sizes[0] + RSS_MAX_KIB, "RSS after each 2,000 requests: %r KiB" % sizes)
step("RSS after 2,000 and 20,000 requests: %d and %d KiB" % (sizes[0], sizes[-1]))
status, _ = stop(server)
equal("the server's exit status", status, 0)
