#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counted calls belong to the request that they were made for: each request of the example server calls its
functions a known number of times, whoever else is served meanwhile, and so says each request's table, and wperf
live."""
import http.client
import threading

from lib import *

NR_CLIENTS, NR_ROUNDS = 4, 8
DEPTHS = (1, 5, 9, 12)


def calls_of_fib(n):
    """2 * F(n + 1) - 1."""
    a, b = 0, 1
    for _ in range(n + 1):
        a, b = b, a + b
    return 2 * a - 1


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for _ in range(NR_ROUNDS):
        for n in DEPTHS:
            for asked in ("/fib?n=%d" % n, "/user/%d" % n):
                connection.request("GET", asked)
                connection.getresponse().read()
    connection.close()


def load(port):
    clients = [threading.Thread(target=ask, args=(port,)) for _ in range(NR_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def start_server(*args):
    server = start_target(os.path.join(BUILD, "examples/server"), *args, ready=r"listening on 127\.0\.0\.1:(\d+)")
    return server, int(server.ready[1])


ASKED = ("--calls", "fib", "--calls", "serve_[fu]*", "--max-overhead", "100")


def counts_of(group):
    return {f["function"]: (f["ncalls"], f["primitive_calls"], f["exact"]) for f in group["functions"] if f["ncalls"]}


def check_requests(marker, *server_args):
    server, port = start_server(*server_args)
    recording = Recording("-p", server.pid, "--marker", marker, *ASKED)
    load(port)
    recording.stop()
    stop(server)
    profile = report(recording.file, "--by", "request", "--path-raw")
    nr = 0
    for g in profile["groups"]:
        if g["outside"]:
            equal("calls outside of requests", counts_of(g), {})
            continue
        n = int(re.search(r"\d+$", g["path"])[0])
        want = {"serve_fib": (1, 1, True), "fib": (calls_of_fib(n), 1, True)} if g["path"].startswith("/fib") else \
            {"serve_user": (1, 1, True)}
        equal("calls in " + g["path"], counts_of(g), want)
        nr += 1
    equal("requests", nr, 2 * NR_CLIENTS * NR_ROUNDS * len(DEPTHS))
    callers = {(f["function"], c["function"]): c["ncalls"] for g in profile["groups"] for f in g["functions"]
               for c in f["callers"] if c["ncalls"]}
    equal("who calls whom", set(callers), {("fib", "fib"), ("fib", "serve_fib")})
    cut = report(recording.file, "--root", "serve_fib")
    equal("below serve_fib", {f["function"] for g in cut["groups"] for f in g["functions"] if f["ncalls"] is not None},
          {"serve_fib", "fib"})
    step("%s %s: %d requests" % (marker, " ".join(server_args), nr))


def check_live():
    server, port = start_server()
    with open(path("live.err"), "w") as talk:
        live = start(WPERF, "live", "-v", "-p", str(server.pid), *ASKED, "--restrict", "fib", stdout=subprocess.PIPE,
                     stderr=talk, encoding="utf-8")
    wait_until("wperf live attaches", lambda: "attached\n" in open(path("live.err")).read())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for n in (3, 11, 3):
        connection.request("GET", "/fib?n=%d" % n)
        connection.getresponse().read()
    connection.close()
    stop(server)
    out = live.communicate(timeout=PATIENCE)[0]
    got = re.findall(r"^ *(\S+)(?: +\S+){4} \S+\(fib\)$", out, re.M)
    equal("live's rows", got, ["%d/1" % calls_of_fib(n) for n in (3, 11, 3)])
    has("live's header", out, "%d function calls (2 primitive calls) in" % (calls_of_fib(11) + 1))
    step("live: %s" % " ".join(got))


APP = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
"""


def ask_until(done, port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    while not done.is_set():
        connection.request("GET", "/user/1")
        connection.getresponse().read()
    connection.close()


def check_edges(server, function, *asked):
    """Who is served while a recording begins and ends: a request has all of its calls, or is not there."""
    port, done = int(server.ready[1]), threading.Event()
    clients = [threading.Thread(target=ask_until, args=(done, port)) for _ in range(2)]
    for client in clients:
        client.start()
    recording = Recording("-p", server.pid, "--duration", "0.5", "--max-overhead", "100", *asked)
    recording.wait()
    done.set()
    for client in clients:
        client.join()
    stop(server)
    groups = [g for g in report(recording.file, "--by", "request")["groups"] if not g["outside"] and not g["unfinished"]]
    check(len(groups) > 50, "%d requests" % len(groups))
    # Beside a last one's calls may stand those of the next, of which there is no mark any more.
    nr = [counts_of(g).get(function, (0,))[0] for g in groups]
    equal("requests without their call of " + function, [g["id"] for g, n in zip(groups, nr) if not n], [])
    check(sum(n > 1 for n in nr) <= len(clients), "calls of %s: %s" % (function, nr))
    step("%d requests at both ends of a recording have their calls of %s" % (len(groups), function))


check_edges(start_target(os.path.join(BUILD, "examples/server"), "--port", "0", ready=r"listening on 127\.0\.0\.1:(\d+)"),
            "serve_user", "--calls", "serve_user")
check_edges(start_target("/usr/bin/python3", "-c", APP, ready=r"listening on 127\.0\.0\.1:(\d+)"),
            "do_GET", "--calls", "python")
check_requests("auto", "--port", "0")
check_requests("auto", "--epoll", "--port", "0")
check_requests("http", "--workers", "2", "--port", "0")
check_live()
