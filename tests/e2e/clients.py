# SPDX-License-Identifier: Apache-2.0
"""Clients that keep books of what they ask for, and what wperf's requests have to be then.

All that was asked for between the attach and the end of the recording counts, once: check_counts().

Where the recording begins and ends while clients go on (check_middle()), a request counts if it began
after wperf had said "attached", and if the next one on the same connection was answered before the
recording was told to stop: only then is it known that the server has returned from its write. Of the
others, those may count that were under way, or began, while wperf attached or stopped; none twice.
"""
import atexit
import collections
import contextlib
import http.client
import itertools
import re
import threading

from lib import *

CLEAN = ("unfinished", "unmatched_ends", "labels_cut", "marks_unsent", "bytes_missing", "bytes_skipped",
         "status_unseen", "tls", "http2", "switched", "calls_unseen", "threads_32_bit", "datagram_sockets",
         "processes_not_followed")


@atexit.register
def end_gently():
    """Before lib.py kills: servers that are asked to end take their children along."""
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            pass


def requests_of(recording, *args):
    lines = wperf("requests", "--format", "jsonl", "-i", recording.file, *args).stdout.splitlines()
    return [json.loads(line) for line in lines]


def asked(request):
    """What the clients' books have for it: (method, path without its query, status)."""
    return request.get("method") or "", request["path"].partition("?")[0], request.get("status") or 0


def ask_in_turn(port, paths, nr_clients, nr):
    """So many clients at a time ask for each path after the other, each first for another one; nr times each."""
    def ask(first):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        for i in range(nr):
            connection.request("GET", paths[(first + i) % len(paths)])
            answer = connection.getresponse()
            answer.read()
            equal("status", answer.status, 200)
        connection.close()
    clients = [threading.Thread(target=ask, args=(i,)) for i in range(nr_clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


@contextlib.contextmanager
def recorded(*pids, args=()):
    """What is asked for in this context is recorded to its end."""
    recording = Recording("-p", ",".join(map(str, pids)), *args)
    yield recording
    wait_until_idle(*pids)
    recording.stop()


def check_clean(what, profile, but=()):
    equal(what + ": lost", profile["lost"], 0)
    for tally in CLEAN:
        if tally not in but:
            equal(what + ": " + tally, profile["tallies"][tally], 0)


def differences(got, want):
    return ["%r: %d, not %d" % (each, got[each], want[each])
            for each in sorted(set(got) | set(want)) if got[each] != want[each]]


def check_counts(what, recording, want, key=asked, is_one=None):
    """Exactly these: Counter of what key() makes of a request, of those for which is_one() holds."""
    want = collections.Counter(want)
    all_requests = requests_of(recording)
    got = collections.Counter(key(request) for request in all_requests
                              if is_one is None or is_one(request))
    check(got == want, "%s: requests are not what the clients asked for:\n%s" %
          (what, "\n".join(differences(got, want)[:20])))
    profile = report(recording.file)
    check_clean(what, profile)
    equal(what + ": requests of the report", sum(g["requests"] for g in profile["groups"]),
          len(all_requests))
    tallies = profile["tallies"]
    step("%s: %d requests; %d of %d samples in requests" %
         (what, sum(want.values()), tallies["in_requests"], tallies["samples"]))
    return profile


# ---- clients in the middle of whose work a recording begins and ends ----

class Client(threading.Thread):
    """ask = connect(): asks for a key, and has read all of the answer when it returns."""

    def __init__(self, name, connect):
        super().__init__(daemon=True)
        self.name, self.connect, self.books, self.is_over, self.error = name, connect, [], False, None

    def run(self):
        try:
            ask = self.connect()
            for i in itertools.count():
                if self.is_over:
                    return
                begin = time.monotonic()
                key = "%sx%d" % (self.name, i)
                ask(key)
                self.books.append((key, begin, time.monotonic()))
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.error = error

    def finish(self):
        self.is_over = True
        self.join(PATIENCE)
        check(not self.is_alive() and not self.error, "client %s: %r" % (self.name, self.error))


def books_of(clients, started, attached, told, ended):
    """Keys that have to count, and those that may."""
    has_to, may = set(), set()
    for client in clients:
        for (key, begin, end), following in zip(client.books, client.books[1:] + [(None, 0, ended + 1)]):
            if begin >= attached and following[2] <= told:
                has_to.add(key)
            elif end >= started and begin <= ended:
                may.add(key)
    return has_to, may


def record_middle(what, pid, connect, nr_clients, nr):
    """(recording, keys that have to count, keys that may)."""
    clients = [Client("t%d" % n, connect) for n in range(nr_clients)]
    for client in clients:
        client.start()

    def all_have(more):
        before = [len(client.books) for client in clients]
        wait_until(what + ": clients get on", lambda: all(
            client.error or len(client.books) >= was + more for client, was in zip(clients, before)))
    all_have(20)
    started = time.monotonic()
    recording = Recording("-p", pid)
    attached = time.monotonic()
    all_have(nr)
    told = time.monotonic()
    recording.stop()
    ended = time.monotonic()
    for client in clients:
        client.finish()

    has_to, may = books_of(clients, started, attached, told, ended)
    check(len(has_to) >= nr_clients * (nr - 3), "%s: only %d requests" % (what, len(has_to)))
    return recording, has_to, may


def check_middle(what, pid, connect, key_of, nr_clients=3, nr=200, status=0):
    """key_of(): the key of a request, by its raw path; None: it has none."""
    recording, has_to, may = record_middle(what, pid, connect, nr_clients, nr)
    seen = collections.Counter()
    whole = set()
    for request in requests_of(recording, "--path-raw"):
        key = key_of(request)
        if key is None:
            continue
        seen[key] += 1
        if request["elapsed"] is not None and (request.get("status") or 0) == status:
            whole.add(key)
    missing = has_to - whole
    check(not missing, "%s: %d of %d are missing, or have no end: %s" %
          (what, len(missing), len(has_to), sorted(missing)[:10]))
    twice = [key for key, times in seen.items() if times > 1]
    check(not twice, "%s: counted twice: %s" % (what, twice[:10]))
    alien = set(seen) - has_to - may
    check(not alien, "%s: requests that nobody made then: %s" % (what, sorted(alien)[:10]))
    check_clean(what, report(recording.file), but=("unfinished",))
    step("%s, in the middle: %d requests had to count, %d could; %d did" %
         (what, len(has_to), len(may), len(seen)))
    return recording


def check_middle_by_number(what, pid, connect, path, nr_clients=3, nr=200):
    """Where requests do not bring their keys: one a key, and each has that path."""
    recording, has_to, may = record_middle(what, pid, connect, nr_clients, nr)
    requests = requests_of(recording)
    equal(what + ": paths", {request["path"] for request in requests}, {path})
    whole = sum(request["elapsed"] is not None for request in requests)
    check(len(has_to) <= whole and len(requests) <= len(has_to) + len(may),
          "%s: %d had to count, %d more could; %d did, and %d had an end" %
          (what, len(has_to), len(may), len(requests), whole))
    check_clean(what, report(recording.file), but=("unfinished",))
    step("%s, in the middle: %d requests had to count, %d could; %d did" %
         (what, len(has_to), len(may), len(requests)))


# ---- clients of HTTP ----

def ask_http(port, asks, per_connection=25, host="127.0.0.1"):
    """Each of (method, path, status, body or None), so many of them on one connection."""
    connection = None
    for i, (method, asked_for, status, body) in enumerate(asks):
        if i % per_connection == 0:
            if connection:
                connection.close()
            connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        connection.request(method, asked_for, body)
        answer = connection.getresponse()
        answer.read()
        equal("status of " + asked_for, answer.status, status)
    connection.close()


def in_threads(function, *each):
    done = []
    threads = [threading.Thread(target=lambda args=args: done.append(function(*args)), daemon=True)
               for args in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    equal("clients that came to their end", len(done), len(each))


def http_books(asks):
    return collections.Counter((method, asked_for.partition("?")[0], status)
                               for method, asked_for, status, _ in asks)


def http_keys(port, prefix):
    """For check_middle(): the key is the query."""
    def connect():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

        def ask(key):
            connection.request("GET", prefix + "?" + key)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
        return ask
    return connect


def http_key(request):
    return request["path"].partition("?")[2] or None


def wrk(port, path_asked, seconds=1, connections=4):
    """How many requests it says to have had answered, and how many more it may have asked for."""
    out = run("wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds,
              "http://127.0.0.1:%d%s" % (port, path_asked)).stdout
    return int(re.search(r"(\d+) requests in", out)[1]), connections
