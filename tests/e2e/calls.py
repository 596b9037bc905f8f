#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every system call by which a server reads, writes and waits, on TCP over IPv4 and IPv6 and on Unix sockets:
each request is there once, by its name, with its status."""
import collections
import itertools
import socket

from lib import *

program = build("e2e_calls.c")
NR = 7 * 8 * 9  # each way to wait with each way to read with each way to write


def connect(family, where):
    connection = socket.socket(family)
    connection.settimeout(PATIENCE)
    connection.connect(where)
    return connection, connection.makefile("rb")


def ask(connection, answers, target):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: example\r\n\r\n" % target.encode())
    for want in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 6\r\n", b"\r\n", b"hello\n"):
        equal("answer to " + target, answers.readline(), want)


def check_family(what, family, args, where_of):
    server = start(program, *args, stdout=subprocess.PIPE, encoding="utf-8")
    ways = [server.stdout.readline().split()[1:] for _ in range(3)]
    where = where_of(int(server.stdout.readline().split()[-1]))
    targets = ["/" + "/".join(each) for each in itertools.islice(zip(*map(itertools.cycle, ways)), 2 * NR)]

    before = connect(family, where)  # what is there before the recording has two ways to be found
    ask(*before, targets[0])
    recording = Recording("-p", server.pid)
    for target in targets[1:NR]:
        ask(*before, target)
    before[0].shutdown(socket.SHUT_WR)
    equal("more of an answer", before[1].read(), b"")
    asked = targets[1:NR]
    # Who is told to end reads once, by the way whose turn it is.
    left = targets[NR:]
    for begin in range(0, len(left), 50):
        connection = connect(family, where)
        for target in left[begin:begin + 50]:
            ask(*connection, target)
            asked.append(target)
        connection[0].shutdown(socket.SHUT_WR)
        equal("more of an answer", connection[1].read(), b"")
    recording.stop()
    stop(server)

    lines = wperf("requests", "-i", recording.file, "--format", "jsonl").stdout.splitlines()
    requests = [json.loads(line) for line in lines]
    want = collections.Counter(("GET", target, 200, True) for target in asked)
    got = collections.Counter((r["method"], r["path"], r["status"], r["elapsed"] is not None) for r in requests)
    check(got == want, "%s: missing %r, too many %r" %
          (what, sorted((want - got).items())[:10], sorted((got - want).items(), key=str)[:10]))
    profile = report(recording.file)
    equal("lost", profile["lost"], 0)
    for tally in ("unfinished", "bytes_missing", "bytes_skipped", "marks_unsent"):
        equal(tally, profile["tallies"][tally], 0)
    step("%s: %d requests" % (what, len(requests)))


def loopback(port):
    return "127.0.0.1", port


check_family("IPv4", socket.AF_INET, ["tcp"], loopback)
if os.path.exists("/proc/net/if_inet6"):
    check_family("IPv6", socket.AF_INET6, ["tcp6"], lambda port: ("::1", port))
else:
    step("IPv6: this kernel has none")
check_family("a Unix socket", socket.AF_UNIX, ["unix", path("socket")], lambda _: path("socket"))
name = "@wperf-e2e-%d" % os.getpid()
check_family("an abstract one", socket.AF_UNIX, ["unix", name], lambda _: "\0" + name[1:])
