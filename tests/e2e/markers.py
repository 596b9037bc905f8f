#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several markers at once: what two of them would count is refused before anything is recorded, whatever
it is called; ports, functions and requests in requests that differ are counted, each once."""
import urllib.request

from lib import *

NR = 20


class Server:
    def __init__(self):
        self.process = start_target(os.path.join(BUILD, "examples/server"), "--threads", "2",
                                    ready=r"listening on 127\.0\.0\.1:(\d+)")
        self.pid = self.process.pid
        self.port = int(self.process.ready[1])

    def ask(self, name, nr=NR):
        for _ in range(nr):
            with urllib.request.urlopen("http://127.0.0.1:%d/%s" % (self.port, name), timeout=PATIENCE) as answer:
                answer.read()


a, b = Server(), Server()
PIDS = "%d,%d" % (a.pid, b.pid)
PORT = str(a.port)


def options(markers):
    return [word for marker in markers for word in ("--marker", marker)]


# ---- what would be counted twice ----
for command in ("record", "live"):
    for first, second, what in (
            ("auto", "auto", "connections have"),
            ("auto", "http:" + PORT, "connections have"),
            ("socket", "http", "connections have"),
            ("socket:" + PORT, "http:" + PORT, "connections have"),
            ("http:" + PORT, "http", "connections have"),
            ("func:serve_fib", "func:serve_fib,label=arg1:str", "probes are"),
            ("func:serve_fib", "begin=serve_fib,end=serve_fib%return", "probes are"),
            ("func:serve_fib", "func:serve_fib@server", "probes are"),
            ("begin=serve_fib@serv*,end=serve_fib%return", "func:serve_fib@*/server", "probes are"),
            ("begin=serve_fib,end=serve_burn@server", "begin=serve_fib@server,end=serve_burn", "probes are")):
        file = path("refused.data")
        done = wperf(command, "-p", PIDS, "--duration", "0.1", *(("-o", file) if command == "record" else ()),
                     *options([first, "func:serve_json", second]), status=USAGE)
        has("error", done.stderr, "wperf: --marker %s: these %s a marker already\n" % (second, what))
        has("remedy", done.stderr, "Each request would be counted twice: leave out this one or --marker %s" % first)
        equal("lines of it", len(done.stderr.splitlines()), 2)
        equal("output beside an error", done.stdout, "")
        check(not os.path.exists(file), "a recording beside an error")
step("refused: each request would be counted twice")

# ---- what is counted once ----
for markers, want in (
        (["http:%d" % a.port, "socket:%d" % b.port], {"/fib": 2 * NR, "/burn": 2 * NR}),
        (["http:%d" % a.port], {"/fib": NR, "/burn": NR}),
        (["http:%d" % b.port, "func:serve_fib"], {"/fib": NR, "/burn": NR, "serve_fib": 2 * NR}),
        (["auto", "func:serve_fib", "func:serve_burn"],
         {"/fib": 2 * NR, "/burn": 2 * NR, "serve_fib": 2 * NR, "serve_burn": 2 * NR}),
        (["func:serve_fib", "begin=serve_burn,end=serve_burn%return"], {"serve_fib": 2 * NR, "serve_burn": 2 * NR})):
    recording = Recording("-p", PIDS, *options(markers))
    for server in (a, b):
        server.ask("fib")
        server.ask("burn")
    wait_until_idle(a.pid, b.pid)
    recording.stop()
    profile = report(recording.file)
    equal("requests by " + " and ".join(markers), requests_by_path(profile), want)
    equal("unfinished ones", sum(g["unfinished"] for g in profile["groups"]), 0)
    step("counted once: " + ", ".join(markers))
for server in (a, b):
    equal("the server's exit status", stop(server.process)[0], 0)
