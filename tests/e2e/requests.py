#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests found by their sockets, no marker named: the example server as threads, a pool of them,
pre-forked workers and an event loop with deferred answers.

exact    attached before the load: requests by endpoint, method and status equal the client's and the
         server's own count, whatever way their bytes come; both ways of seeing them, where there are two
midway   attached and stopped under load: what began and ended in between is there, each request once
truth    time on the CPU by endpoint is what the server's own books say
places   who is sampled in serve_X() is in a request for X, in each of the three recordings
"""
import collections
import itertools
import socket
import threading

from lib import *

MODELS = {
    "threads": [],
    "pool": ["--threads", "12"],
    "workers": ["--workers", "12"],
    "epoll": ["--epoll"],
}
SERVED_BY = {
    "serve_root": "/",
    "serve_burn": "/burn",
    "serve_fib": "/fib",
    "serve_json": "/json",
    "serve_slow": "/slow",
    "serve_slow_answer": "/slow",
    "serve_user": "/user/{id}",
    "serve_nothing": "/nowhere",
}
# What every kind of client asks for.
MIX = ["/", "/user/17", "/burn?ms=1", "/json?n=50", "/nowhere", "/fib?n=15", "/user/4?x=y", "/slow?ms=2"]


def endpoint_of(target):
    target = target.split("?")[0]
    return "/user/{id}" if target.startswith("/user/") else target


def in_books(endpoint):
    return "(other)" if endpoint == "/nowhere" else endpoint


# ---- clients ----

class Client:
    """One connection. Notes what was answered, as (method, target, status, sent ns, received ns): by the
    clock that recordings have, CLOCK_MONOTONIC."""

    def __init__(self, port, has_small_buffers=False):
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if has_small_buffers:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            # The peer's buffer is some twenty segments.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answered, self.asked, self.unread = [], collections.deque(), b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        got = self.socket.recv(1 << 16)
        self.unread += got
        return got

    def expect(self, method, target):
        """The next request, whose bytes the caller sends."""
        self.asked.append((method, target, time.monotonic_ns()))

    def take_answer(self):
        method, target, sent = self.asked.popleft()
        while b"\r\n\r\n" not in self.unread:
            check(self.receive(), "no answer to " + target)
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        length = 0 if method == "HEAD" else int(re.search(rb"Content-Length: (\d+)", head)[1])
        while len(self.unread) < length:
            check(self.receive(), "half an answer to " + target)
        self.unread = self.unread[length:]
        self.answered.append((method, target, int(head.split()[1]), sent, time.monotonic_ns()))

    def ask(self, target, method="GET", body=None, more=""):
        self.expect(method, target)
        self.send(request(target, method, body, more) + (body or b""))
        self.take_answer()

    def leave(self):
        """Comes back when the server has let go of the connection: its books hold all of it."""
        self.socket.shutdown(socket.SHUT_WR)
        self.wait_for_end()

    def wait_for_end(self):
        check(not self.asked and not self.receive(), "more was answered than asked for")
        self.socket.close()


def request(target, method="GET", body=None, more=""):
    if body is not None:
        more += "Content-Length: %d\r\n" % len(body)
    return ("%s %s HTTP/1.1\r\nHost: example\r\n%s\r\n" % (method, target, more)).encode()


def ask_in_turn(port):
    """Keep-alive."""
    client = Client(port)
    for _ in range(40):
        for target in MIX:
            client.ask(target)
    client.leave()
    return client.answered


def ask_with_methods(port):
    """Heads without a body, bodies with the head or after it, longer than any buffer."""
    client = Client(port)
    for size in (0, 1, 200, 3000, 100000):
        client.ask("/fib?n=10", "POST", b"x" * size)
        client.ask("/json?n=20", "HEAD")
        client.ask("/user/%d" % size, "PUT", b"y" * size)
        client.ask("/nowhere", "DELETE")
        client.expect("POST", "/burn?ms=1")
        body = b"GET /not/a/request HTTP/1.1\r\n\r\n" + b"z" * size
        client.send(request("/burn?ms=1", "POST", body))
        time.sleep(0.01)
        client.send(body)
        client.take_answer()
    client.leave()
    return client.answered


def ask_once_each(port):
    """A connection for each request: who ends it is the server, or the client."""
    answered = []
    for target in MIX * 3:
        client = Client(port)
        client.ask(target, more="Connection: close\r\n")
        client.wait_for_end()
        answered += client.answered
        client = Client(port)
        client.ask(target)
        client.leave()
        answered += client.answered
    return answered


def ask_at_once(port):
    """Pipelining: all at once, of several endpoints and of one, and cut in the middle of a request."""
    client = Client(port)
    for targets in (MIX, MIX * 4, ["/user/%d" % i for i in range(30)], ["/slow?ms=1"] * 5, ["/"] * 2):
        for cut in (None, 5, -5):
            for target in targets:
                client.expect("GET", target)
            data = b"".join(request(target) for target in targets)
            client.send(data[:cut])
            if cut:
                time.sleep(0.01)
                client.send(data[cut:])
            for _ in targets:
                client.take_answer()
    client.leave()
    return client.answered


def read_slowly(port):
    """Answers of more bytes than the sockets hold: the server cannot write them in one go."""
    client = Client(port, has_small_buffers=True)
    for _ in range(2):
        for _ in range(30):
            client.expect("GET", "/json?n=400")
        client.send(request("/json?n=400") * 30)
        time.sleep(0.05)
        for _ in range(30):
            client.take_answer()
    client.leave()
    return client.answered


def ask_in_pieces(port):
    """The server reads a head in several goes."""
    client = Client(port)
    for target in MIX:
        data = request(target)
        for size in (1 if target == "/burn?ms=1" else 7, 20):
            client.expect("GET", target)
            for at in range(0, len(data), size):
                client.send(data[at:at + size])
                time.sleep(0.002)
            client.take_answer()
    client.leave()
    return client.answered


# What a client may say before it goes away, and the endpoint that this names: None while nothing does.
HALVES = [
    (b"", ()),
    (b"G", ()),
    (b"GET /burn?ms=1 HT", None),
    (b"GET /burn?ms=1 HTTP/1.1\r\nHost: exa", "/burn"),
    (request("/fib?n=10", "POST", b"ten bytes ") + b"four", "/fib"),
]


def say_half(port):
    """Half a request begins and is never answered: it is unfinished, and counts as no request. Where
    not even its line was read, it is called by the port. Nothing at all is nothing at all."""
    answered = []
    for half, _ in HALVES:
        for before in ([], ["/"]):
            client = Client(port)
            for target in before:
                client.ask(target)
            client.send(half)
            client.leave()
            answered += client.answered
    return answered


KINDS = [ask_in_turn] * 4 + [ask_with_methods, ask_once_each, ask_at_once, read_slowly, ask_in_pieces,
                             say_half]


def at_a_time(port, kinds):
    """All of them concurrently; what was answered. An exception in any of them is one here."""
    answered, errors = [], []

    def run_one(kind):
        try:
            answered.extend(kind(port))
        except BaseException as error:
            errors.append("%s: %r" % (kind.__name__, error))
    threads = [threading.Thread(target=run_one, args=(kind,), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not errors, "clients: %r" % errors)
    return answered


# ---- the server, and what wperf says of it ----

class Server:
    def __init__(self, *args):
        self.process = start_target(os.path.join(BUILD, "examples/server"), *args,
                                    ready=r"listening on 127\.0\.0\.1:(\d+)")
        self.pid, self.port = self.process.pid, int(self.process.ready[1])
        if "--workers" in args:
            nr = int(args[args.index("--workers") + 1])
            wait_until("workers", lambda: len(children(self.pid)) == nr)

    def stop(self):
        """Its books: endpoint -> (requests, seconds on the CPU)."""
        workers = children(self.pid)
        status, out = stop(self.process)
        equal("the server's exit status", status, 0)
        equal("workers left", [pid for pid in workers if os.path.exists("/proc/%d" % pid)], [])
        fields = (line.split() for line in out.splitlines())
        return {f[1]: (int(f[3]), int(f[5]) / 1e9) for f in fields}


def requests_of(file):
    """As wperf lists them: finished and not."""
    lines = wperf("requests", "-i", file, "--format", "jsonl").stdout.splitlines()
    listed = [json.loads(line) for line in lines]
    return ([r for r in listed if r["elapsed"] is not None],
            [r for r in listed if r["elapsed"] is None])


def check_clean(profile):
    equal("lost", profile["lost"], 0)
    for tally in ("marks_unsent", "unmatched_ends"):
        equal(tally, profile["tallies"][tally], 0)


def check_places(profile):
    """Cumulated samples of serve_X() by where they are: (right, wrong, outside). One may always be wrong:
    nothing says what an event loop works on between a timer and the write of what it was set for."""
    by_function = collections.defaultdict(collections.Counter)
    for g in profile["groups"]:
        for f in g["functions"]:
            served = SERVED_BY.get(f["function"])
            if served:
                place = "outside" if g["outside"] else "right" if g["path"] == served else "wrong"
                by_function[f["function"]][place] += f["cum_samples"]
    sums = sum(by_function.values(), collections.Counter())
    for name, places in {**by_function, "all handlers": sums}.items():
        inside = places["right"] + places["wrong"]
        if inside >= 100:
            check(places["wrong"] <= max(1, 0.01 * inside), "%s: %d of %d samples in requests are in those "
                  "for something else" % (name, places["wrong"], inside))
    return sums["right"], sums["wrong"], sums["outside"]


def check_selections(file, finished):
    """What is asked for of them is that part of them."""
    def listed(*args):
        lines = wperf("requests", "-i", file, "--format", "jsonl", *args).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def ids(rows):
        return sorted(r["id"] for r in rows)
    equal("--status", ids(listed("--status", "404")), ids(r for r in finished if r["status"] == 404))
    equal("--path and --method", ids(r for r in listed("--path", "^/fib$", "--method", "POST") if r["status"]),
          ids(r for r in finished if r["endpoint"] == "/fib" and r["method"] == "POST"))
    elapsed_of = {r["id"]: r["elapsed"] for r in finished}
    slowest = sorted(elapsed_of.values())[-5:]
    equal("--slowest", sorted(r["elapsed"] for r in listed("--slowest", "5")), slowest)
    in_report = report(file, "--by", "request", "--slowest", "5")["groups"]
    equal("--slowest of a report", sorted(elapsed_of[g["id"]] for g in in_report), slowest)
    by_endpoint = collections.defaultdict(list)
    for r in finished:
        by_endpoint[r["method"], r["endpoint"]].append(r)
    summary = {(s["method"], s["path"]): s for s in listed("--summary") if s["requests"]}
    equal("lines of --summary", set(summary), set(by_endpoint))
    for key, rows in by_endpoint.items():
        elapsed, s = sorted(r["elapsed"] for r in rows), summary[key]
        equal("requests of %s %s" % key, s["requests"], len(rows))
        equal("its maximum", s["elapsed"]["max"], elapsed[-1])
        equal("its median", s["elapsed"]["p50"], elapsed[(len(elapsed) - 1) // 2])


# ---- what is checked ----

def check_exact(name, args):
    server = Server(*args)
    recording = Recording("-p", server.pid)
    answered = at_a_time(server.port, KINDS)
    recording.stop()
    books = server.stop()

    want = collections.Counter((endpoint_of(target), method, status)
                               for method, target, status, *_ in answered)
    finished, unfinished = requests_of(recording.file)
    got = collections.Counter((r["endpoint"], r["method"], r["status"]) for r in finished)
    equal("requests by endpoint, method and status, wperf's less the client's and vice versa",
          (got - want, want - got), (collections.Counter(), collections.Counter()))
    raw = collections.Counter(target for _, target, *_ in answered)
    equal("requests by target", collections.Counter(r["path"] for r in finished), raw)

    by_endpoint = collections.Counter()
    for (endpoint, *_), nr in want.items():
        by_endpoint[in_books(endpoint)] += nr
    equal("the server's own books", {k: nr for k, (nr, _) in books.items()}, dict(by_endpoint))

    port = "tcp:%d" % server.port
    halves = collections.Counter(endpoint or port for _, endpoint in HALVES * 2 if endpoint != ())
    equal("unfinished", collections.Counter(r["endpoint"] for r in unfinished), halves)

    check_selections(recording.file, finished)
    profile = report(recording.file)
    check_clean(profile)
    in_groups = collections.Counter()
    for g in profile["groups"]:
        for status, nr in (g["status"] or {}).items() if not g["outside"] else ():
            in_groups[g["path"], g["method"], int(status)] += nr
    equal("the report's requests", in_groups, want)
    equal("the report's unfinished", profile["tallies"]["unfinished"], sum(halves.values()))
    right, wrong, outside = check_places(profile)
    step("%s, exact: %d requests, %d unfinished; samples %d right, %d wrong, %d outside" %
         (name, len(finished), len(unfinished), right, wrong, outside))


class Load:
    """Clients that go on until told; no two requests have the same target."""
    NR = 4

    def __init__(self, port):
        self.port, self.is_over, self.serial = port, threading.Event(), itertools.count()
        self.clients = [[] for _ in range(self.NR)]
        self.answered = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        self.answered = at_a_time(self.port, [lambda port, i=i: self.ask(port, self.clients[i])
                                              for i in range(self.NR)])

    def ask(self, port, answered):
        """A new connection every now and then; some requests are pipelined."""
        while not self.is_over.is_set():
            client = Client(port)
            for _ in range(15):
                for form in ("/user/%d", "/burn?ms=1&%d", "/json?n=50&%d", "/slow?ms=2&%d"):
                    client.ask(form % next(self.serial))
                targets = ["/fib?n=12&%d" % next(self.serial) for _ in range(3)]
                for target in targets:
                    client.expect("GET", target)
                client.send(b"".join(map(request, targets)))
                for _ in targets:
                    client.take_answer()
                answered.extend(client.answered)
                client.answered.clear()
                if self.is_over.is_set():
                    break
            client.leave()
        return answered

    def wait(self, nr):
        """Until each client has so many answers more."""
        want = [len(answered) + nr for answered in self.clients]
        wait_until("answers", lambda: not self.thread.is_alive() or
                   all(len(a) >= w for a, w in zip(self.clients, want)))
        check(self.thread.is_alive(), "the load ended early")

    def followed(self):
        """(target, when the same client had received its next answer)."""
        for answered in self.clients:
            for (_, target, *_), (*_, received) in zip(answered, answered[1:]):
                yield target, received

    def stop(self):
        self.is_over.set()
        self.thread.join(PATIENCE)
        return self.answered


def check_midway(name, args):
    """What was sent after wperf had said that it is attached is there and finished if its client had an
    answer to its next request before wperf was told to stop: a client can have an answer whose write
    has not returned. Of what was on its way at either moment some is there: what the server began to
    read after the attach, and finished if it was written before the stop. Nothing else is there, and
    nothing twice."""
    server = Server(*args)
    load = Load(server.port)
    load.wait(20)
    start_ns = time.monotonic_ns()
    recording = Recording("-p", server.pid)
    attached_ns = time.monotonic_ns()
    load.wait(150)
    stop_ns = time.monotonic_ns()
    recording.stop()
    end_ns = time.monotonic_ns()
    load.wait(5)
    answered = load.stop()
    server.stop()

    finished, unfinished = requests_of(recording.file)
    listed = {r["path"]: r for r in finished + unfinished}
    check(len(listed) == len(finished) + len(unfinished), "a request is there twice")
    asked = {target: (sent, received) for _, target, _, sent, received in answered}
    equal("answers", len(asked), len(answered))

    sure = {t for t, next_received in load.followed() if asked[t][0] >= attached_ns and
            next_received <= stop_ns}
    maybe = {t for t, (sent, received) in asked.items() if received >= start_ns and sent <= end_ns}
    at_stop = {t for t in maybe if asked[t][1] > stop_ns}
    equal("missing", sorted(sure - {r["path"] for r in finished}), [])
    equal("of other times", sorted(set(listed) - maybe), [])
    equal("unfinished, but not at the stop", sorted({r["path"] for r in unfinished} - at_stop), [])
    for r in finished:
        equal("status of " + r["path"], r["status"], 200)

    # One moment is the recording's begin for all of them: each begins between sending and receiving.
    begins = [(asked[t][0] - r["begin"] * 1e9, asked[t][1] - r["begin"] * 1e9)
              for t, r in listed.items()]
    first, last = max(sent for sent, _ in begins), min(received for _, received in begins)
    check(first <= last, "begins are %.0f ns apart from what clients saw" % (first - last))
    check(last >= start_ns and first <= attached_ns, "the recording begins at another time")

    profile = report(recording.file)
    check_clean(profile)
    equal("the report's requests", sum(g["requests"] for g in profile["groups"]), len(finished))
    right, wrong, outside = check_places(profile)
    step("%s, midway: %d requests for sure, %d of the %d on their way; samples %d right, %d wrong, "
         "%d outside" % (name, len(sure), len(set(listed) - sure), len(maybe - sure), right, wrong,
                         outside))


def stolen_seconds():
    """What the machine's hypervisor took, of all CPUs."""
    with open("/proc/stat") as f:
        return int(f.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


# Endpoint -> what is asked for: handlers that take some 4 ms.
HEAVY = {"/burn": "/burn?ms=4", "/fib": "/fib?n=30"}


def ask_heavy(port):
    client = Client(port)
    for _ in range(40):
        for target in HEAVY.values():
            client.ask(target)
    client.leave()
    return client.answered


def check_truth(name, args):
    """The server counts around its handlers, their answers' write included. wperf counts from the read of
    a request to the wait for the next one: that is more by the parsing of the head, the reading of the
    clock, the ends of the two system calls, and a cache that has gone cold: 4 to 30 us were measured on
    the reference machine, idle and busy, so less than 0.8 % of a handler's 4 ms. Samples that a clock
    takes count stolen time, which is not in the books; wperf's time on the CPU has what was stolen since the
    scheduler's last tick."""
    server = Server(*args)
    recording = Recording("-p", server.pid)
    stolen = stolen_seconds()
    at_a_time(server.port, [ask_heavy] * 4)
    stolen = stolen_seconds() - stolen
    recording.stop()
    books = server.stop()

    profile = report(recording.file)
    check_clean(profile)
    finished, _ = requests_of(recording.file)
    said = []
    for endpoint in HEAVY:
        rows = [r for r in finished if r["endpoint"] == endpoint]
        nr, seconds = books[endpoint]
        equal("requests for " + endpoint, len(rows), nr)
        cpu, sampled = sum(r["cpu"] for r in rows), sum(r["time"] for r in rows)
        samples = sum(r["samples"] for r in rows)
        for what, got, error in (("cpu", cpu, stolen + 0.02 * seconds),
                                 ("sampled", sampled, stolen + max(0.02, 4 / samples**0.5) * seconds)):
            check(abs(got - seconds) <= error, "%s of %s: %.6f s, the server's books say %.6f, and %.6f is "
                  "the most that they may differ by" % (what, endpoint, got, seconds, error))
        said.append("%s %.3f s by the books, cpu %+.2f %%, sampled %+.2f %%, stolen %.2f %%" %
                    (endpoint, seconds, 100 * (cpu / seconds - 1), 100 * (sampled / seconds - 1), 100 * stolen / seconds))
    right, wrong, outside = check_places(profile)
    check(outside < 0.01 * (right + wrong), "%d of %d samples of handlers are outside" %
          (outside, right + wrong + outside))
    step("%s, truth: %s; samples %d right, %d wrong, %d outside" %
         (name, "; ".join(said), right, wrong, outside))


os.environ["WPERF_SOCKETS"] = "calls"
for name, args in MODELS.items():
    check_exact(name + ", by its calls", args)
del os.environ["WPERF_SOCKETS"]
for name, args in MODELS.items():
    check_exact(name, args)
    if not IS_SANITIZED or name == "epoll":  # the same code, and twice as long
        check_midway(name, args)
        check_truth(name, args)
