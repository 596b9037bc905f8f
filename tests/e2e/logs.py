#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines for log shippers: each is one JSON object, whatever a client asks for; and what it says of the
request is what the client's own books have: when, what, how it was answered, how long it took at least."""
import datetime
import socket
import time

from clients import *

NR_CLIENTS = 4
CLOCK_ERROR = 0.001  # between two readings of clocks that are adjusted alike
NOTICED = 0.5  # s until wperf is sure to have noticed that the wall clock was set
# Path, its endpoint, status, and how long the answer takes at least.
ASKED = [(b"/", "/", 200, 0), (b"/burn?ms=20", "/burn", 200, 0), (b"/slow?ms=15", "/slow", 200, 0.015),
         (b"/user/17", "/user/{id}", 200, 0), (b"/nowhere", "/nowhere", 404, 0),
         (b"/'\"\\", None, 404, 0), (b"/\xc3\xa9\xe2\x80\xa8\xe2\x80\xa9\xc2\x85", None, 404, 0),
         (b"/\x01\x1b[31m\x7f", None, 404, 0), (b"/{\"a\":1},", None, 404, 0),
         (b"/\xff\xfe\xed\xa0\x80", None, 404, 0)]
KEYS = ["wperf", "timestamp", "method", "path", "endpoint", "status", "elapsed", "requests", "time", "samples",
        "calls", "primitive_calls", "id", "begin", "end", "thread", "unfinished", "by", "outside", "exact", "functions"]


def ask(nr_client, books):
    """One book entry for each request: path as JSON has it, endpoint, status, and when it was under way."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        answers = s.makefile("rb")
        for i, (asked_path, endpoint, status, least) in enumerate(ASKED * 5):
            asked_path += b"%sn=%d-%d" % (b"&" if b"?" in asked_path else b"?", nr_client, i)
            # Bytes that are no UTF-8 are shown as tables show them: JSON cannot hold them.
            shown = asked_path.decode(errors="backslashreplace")
            begin = time.time()
            s.sendall(b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n" % asked_path)
            line = answers.readline()
            check(b" %d " % status in line, "%r was answered with %r" % (asked_path, line))
            length = 0
            for line in iter(answers.readline, b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)
            books.append((shown, endpoint, status, least, begin, time.time()))


clock_readings = []  # the wall clock, and how far it was ahead of the other one


def wall_clock_moved(begin, end):
    """How far it was set while this was asked for, or so shortly before that it may not be noticed: machines that
    go on from a snapshot are put right in many small steps."""
    ahead = [a for at, a in clock_readings if begin - NOTICED <= at <= end + NOTICED]
    return max(ahead) - min(ahead)


def read_clocks():
    """The quickest of some tries: between two readings the thread may have to wait for the CPU."""
    tries = [(time.monotonic(), time.time(), time.monotonic()) for _ in range(5)]
    before, now, after = min(tries, key=lambda t: t[2] - t[0])
    clock_readings.append((now, now - (before + after) / 2))


def watch_clocks(goes_on):
    while goes_on():
        read_clocks()
        time.sleep(0.005)


def load():
    books = []
    clients = [threading.Thread(target=ask, args=(i, books)) for i in range(NR_CLIENTS)]
    until = time.monotonic() + NOTICED
    watch_clocks(lambda: time.monotonic() < until)
    for client in clients:
        client.start()
    watch_clocks(lambda: any(client.is_alive() for client in clients))
    read_clocks()
    equal("requests in the books", len(books), NR_CLIENTS * 5 * len(ASKED))
    return books


def check_line(line, entries):
    """entries: those of its path. Takes out the one that it is."""
    group = json.loads(line)
    equal("keys", list(group), KEYS)
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", group["timestamp"]), group["timestamp"])
    began = datetime.datetime.fromisoformat(group["timestamp"].replace("Z", "+00:00")).timestamp()
    error = CLOCK_ERROR + max(wall_clock_moved(*e[4:]) for e in entries)
    fits = [e for e in entries if e[4] - error <= began <= e[5] + error]
    check(fits, "%s began at %s, and the books have %r" % (group["path"], began, entries))
    _, endpoint, status, least, _, _ = fits[0]
    entries.remove(fits[0])
    check(endpoint in (group["endpoint"], None), "%s is of %s" % (group["path"], group["endpoint"]))
    equal("status of " + group["path"], group["status"], status)
    equal("method of " + group["path"], group["method"], "GET")
    check(type(group["elapsed"]) is float and group["elapsed"] >= least,
          "%s took %r s, and %r at least" % (group["path"], group["elapsed"], least))
    check(abs(group["end"] - group["begin"] - group["elapsed"]) < 1e-8, "begin, end and elapsed: " + line)
    equal("the rest", (group["wperf"], group["requests"], group["unfinished"], group["by"], group["outside"]),
          (1, 1, 0, "request", False))
    equal("samples", sum(f["samples"] for f in group["functions"]), group["samples"])
    for f in group["functions"]:
        check(f["function"] and f["file"] and f["tottime"] <= f["cumtime"] + 1e-9, "a function: %r" % f)
    return group


def check_lines(what, text, books):
    by_path = collections.defaultdict(list)
    for entry in books:
        by_path[entry[0]].append(entry)
    lines = text.splitlines()  # at all that Unicode calls an end of a line
    equal(what + ": lines by their newlines", len(lines), text.count("\n"))
    equal(what + ": lines", len(lines), len(books))
    groups = [check_line(line, by_path[json.loads(line)["path"]]) for line in lines]
    equal(what + ": requests without a line", [e for entries in by_path.values() for e in entries], [])
    burners = {f["function"] for g in groups if g["endpoint"] == "/burn" for f in g["functions"]}
    check({"burn_f", "burn_g"} <= burners, "no burn_f and burn_g among %r" % burners)
    step("%s: %d lines are the client's %d requests; the longest has %d bytes" %
         (what, len(lines), len(books), max(map(len, lines))))
    return groups


server = start_target(os.path.join(BUILD, "examples/server"), "--threads", str(NR_CLIENTS),
                      ready=r"listening on 127\.0\.0\.1:(\d+)")
port = int(server.ready[1])

live = start(WPERF, "live", "-v", "-p", str(server.pid), "--format", "jsonl", "--tee", path("live.jsonl"),
             stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, encoding="utf-8")
for said in iter(live.stderr.readline, ""):
    if said == "wperf: attached\n":
        break
books = load()


def live_lines():
    with open(path("live.jsonl"), encoding="utf-8", newline="") as f:
        return f.read()


wait_until("the lines of live", lambda: live_lines().count("\n") == len(books))
live.send_signal(signal.SIGINT)
talk = live.stderr.read()
equal("exit status of live: " + talk, live.wait(PATIENCE), 0)
check_lines("live", live_lines(), books)

# Serves nobody: what it does is outside of every request.
outsider = start_target(sys.executable, "-c", "import time\nprint('ready', flush=True)\ninput()\n"
                        "while time.process_time() < 1:\n    pass\nprint('done', flush=True)\ninput()",
                        ready="ready", stdin=subprocess.PIPE)
with recorded(server.pid, outsider.pid) as recording:
    books = load()
    print(file=outsider.stdin, flush=True)
    equal("the outsider says", outsider.stdout.readline(), "done\n")
wperf("report", "-i", recording.file, "--by", "request", "--format", "jsonl", "--path", "^/", "-o",
      path("report.jsonl"))
with open(path("report.jsonl"), encoding="utf-8", newline="") as f:
    groups = check_lines("report", f.read(), books)
moments = {g["id"]: (g["timestamp"], g["path"], g["status"], g["elapsed"]) for g in groups}
equal("what wperf requests lists",
      {r["id"]: (r["timestamp"], r["path"], r["status"], r["elapsed"]) for r in requests_of(recording)}, moments)
profile = report(recording.file, "--by", "request", "--path", "^/")
equal("what JSON has", {g["id"]: g["timestamp"] for g in profile["groups"]},
      {number: moment[0] for number, moment in moments.items()})
step("requests and JSON have the same moments")

with open(os.path.join(ROOT, "docs/LOGS.md"), encoding="utf-8") as f:
    text = f.read()
documented, of_requests = map(json.loads, re.findall(r"```json\n(\{\".*)\n```", text))
equal("keys of docs/LOGS.md", list(documented), KEYS)
listed = json.loads(wperf("requests", "-i", recording.file, "--format", "jsonl").stdout.splitlines()[0])
equal("its keys of wperf requests", list(of_requests), list(listed))
explained = {key for row in re.findall(r"^\|(.*?)\|", text, re.M) for key in re.findall(r"`(\w+)`", row)}
equal("keys that no table of it has", {*KEYS, *listed} - explained, set())
burning = next(g for g in groups if g["functions"])
equal("keys of its function", list(documented["functions"][0]), list(burning["functions"][0]))

# Without the requests: one line, whose keys are those of the others.
lines = wperf("report", "-i", recording.file, "--by", "request", "--format", "jsonl", "--restrict",
              "5").stdout.splitlines()
outside = [group for group in map(json.loads, lines) if group["outside"]]
equal("lines of what is outside", len(outside), 1)
equal("its keys", list(outside[0]), KEYS)
equal("what it has not", {key for key in KEYS if outside[0][key] is None},
      {"timestamp", "method", "status", "elapsed", "calls", "primitive_calls", "id", "begin", "end", "thread",
       "exact"})
check(all(len(json.loads(line)["functions"]) <= 5 for line in lines), "--restrict 5 lets more pass")
status, _ = stop(server)
equal("the server's exit status", status, 0)
