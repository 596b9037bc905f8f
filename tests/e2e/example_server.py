#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests of the example server: counts equal the client's and the server's own; time goes where it
is known to go; nothing is lost between the samples and the tables."""
import http.client
import threading

from lib import *

# Endpoint -> the paths that make it up, and how often each client asks for each of them. A request for
# /burn is one round of burn_f and burn_g, of about 1 ms.
ASKED = {
    "/": (["/"], 40),
    "/burn": (["/burn?ms=1"], 300),
    "/fib": (["/fib?n=18", "/fib?n=5"], 15),
    "/json": (["/json?n=200"], 20),
    "/slow": (["/slow?ms=3"], 5),
    "/user/{id}": (["/user/1", "/user/23", "/user/99999"], 7),
    "/nowhere": (["/nowhere"], 3),
}
NR_CLIENTS = 4
# Not a multiple of the requests for /burn that a second has: each sample would hit what the one before has hit, and
# the binomial error below is that of samples that hit this or that by chance, or are spread evenly.
FREQUENCY = 1618


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for paths, times in ASKED.values():
        for asked in paths * times:
            connection.request("GET", asked)
            connection.getresponse().read()
    connection.close()


def load(port):
    clients = [threading.Thread(target=ask, args=(port,)) for _ in range(NR_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def books_of(text):
    """The server's own: "endpoint NAME requests N cpu_ns M"."""
    return {f[1]: int(f[3]) for f in (line.split() for line in text.splitlines()) if f}


def check_server(program, marker, *server_args):
    server = start_target(os.path.join(BUILD, "examples", program), *server_args,
                          ready=r"listening on 127\.0\.0\.1:(\d+)")
    port = int(server.ready[1])
    recording = Recording("-p", server.pid, "-F", FREQUENCY, "--marker", marker)
    load(port)
    wait_until_idle(server.pid)
    recording.stop()
    status, out = stop(server)
    equal("the server's exit status", status, 0)

    want = {name: NR_CLIENTS * times * len(paths) for name, (paths, times) in ASKED.items()}
    profile = report(recording.file)
    equal("requests by endpoint", requests_by_path(profile), want)
    books = books_of(out)
    want_books = {name: nr for name, nr in want.items() if name != "/nowhere"}
    want_books["(other)"] = want["/nowhere"]
    equal("the server's own books", books, want_books)
    equal("lost", profile["lost"], 0)
    equal("marks", profile["tallies"]["marks"], 2 * sum(want.values()))
    for tally in ("unfinished", "unmatched_ends", "label_faults", "labels_cut"):
        equal(tally, profile["tallies"][tally], 0)

    burn = group(profile, "/burn")
    sums = {f["function"]: f for f in burn["functions"]}
    f, g = sums["burn_f"]["samples"], sums["burn_g"]["samples"]
    check(f + g > 500, "only %d samples in /burn" % (f + g))
    within_4_sigma("burn_f's share of /burn", f, f + g, 0.7)
    equal("burn_f's file", os.path.basename(sums["burn_f"]["file"]), "endpoints.c")
    step("%s %s: %d requests, burn_f %d : burn_g %d" %
         (program, marker, sum(want.values()), f, g))
    return recording.file, want


def check_views(file, want):
    """Other views of one recording agree with each other."""
    whole = report(file, "--by", "none")
    equal("tables of --by none", [g["path"] for g in whole["groups"]], ["(all)"])
    equal("its requests", whole["groups"][0]["requests"], sum(want.values()))
    single = report(file, "--by", "request")
    rows = [g for g in single["groups"] if not g["outside"]]
    equal("tables of --by request", len(rows), sum(want.values()))
    for name, nr in want.items():
        equal("--by request, " + name, sum(g["path"] == name for g in rows), nr)
    for by in ("thread", "process"):
        view = report(file, "--by", by)
        equal("requests --by " + by, sum(g["requests"] for g in view["groups"]),
              sum(want.values()))
        equal("samples --by " + by, sum(g["samples"] for g in view["groups"]),
              whole["tallies"]["samples"])
    only = report(file, "--path", "^/burn$")
    equal("--path", requests_by_path(only), {"/burn": want["/burn"]})
    lines = wperf("requests", "-i", file, "--format", "jsonl").stdout.splitlines()
    equal("lines of wperf requests", len(lines), sum(want.values()))
    for line in lines:
        json.loads(line)
    step("views agree")


file, want = check_server("server", "func:handle_request,label=arg1:str")
check_views(file, want)
check_server("server", "begin=handle_request,end=handle_request%return,label=arg1:str",
             "--threads", "8")
check_server("server_usdt", "begin=usdt:example:request__begin,end=usdt:example:request__end,"
             "label=arg1:str")
