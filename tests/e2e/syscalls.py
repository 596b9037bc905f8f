#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every system call by which a server reads, writes and waits, on TCP over IPv4 and IPv6 and on Unix sockets:
each request is there once, by its name, with its status; what no protocol knows has the socket's name."""
import socket

from clients import *

program = build("e2e_syscalls.c")
NR_UNKNOWN = 9
NR = 7 * 9 * 10  # each way to wait with each way to read with each way to write


def connect(family, where):
    connection = socket.socket(family)
    connection.settimeout(PATIENCE)
    connection.connect(where)
    return connection, connection.makefile("rb")


def ask(connection, answers, target):
    say(connection, answers, b"GET %s HTTP/1.1\r\nHost: example\r\n\r\n" % target.encode())


def say(connection, answers, words):
    connection.sendall(words)
    for want in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 6\r\n", b"\r\n", b"hello\n"):
        equal("answer to %r" % words, answers.readline(), want)


def hang_up(connection, answers):
    connection.shutdown(socket.SHUT_WR)
    equal("more of an answer", answers.read(), b"")


def check_family(what, family, args, where_of, name_of):
    server = start(program, *args, stdout=subprocess.PIPE, encoding="utf-8")
    ways = [server.stdout.readline().split()[1:] for _ in range(3)]
    port = int(server.stdout.readline().split()[-1])
    where = where_of(port)
    targets = ["/" + "/".join(each) for each in itertools.islice(zip(*map(itertools.cycle, ways)), 2 * NR)]

    before = connect(family, where)  # what is there before the recording has two ways to be found
    ask(*before, targets[0])
    recording = Recording("-p", server.pid)
    for target in targets[1:NR]:
        ask(*before, target)
    hang_up(*before)
    asked = targets[1:NR]
    # Who is told to end reads once, by the way whose turn it is.
    left = targets[NR:]
    for begin in range(0, len(left), 50):
        connection = connect(family, where)
        for target in left[begin:begin + 50]:
            ask(*connection, target)
            asked.append(target)
        hang_up(*connection)
    connection = connect(family, where)
    for _ in range(NR_UNKNOWN):
        say(*connection, b"\x02what nobody knows\r\n\r\n")
    hang_up(*connection)
    wait_until_idle(server.pid)
    recording.stop()
    stop(server)

    lines = wperf("requests", "-i", recording.file, "--format", "jsonl").stdout.splitlines()
    requests = [json.loads(line) for line in lines]
    want = collections.Counter(("GET", target, 200, True) for target in asked)
    want[None, name_of(port), None, True] = NR_UNKNOWN
    got = collections.Counter((r["method"], r["path"], r["status"], r["elapsed"] is not None) for r in requests)
    check(got == want, "%s: missing %r, too many %r" %
          (what, sorted((want - got).items(), key=str)[:10], sorted((got - want).items(), key=str)[:10]))
    profile = report(recording.file)
    equal("lost", profile["lost"], 0)
    for tally in ("unfinished", "bytes_missing", "bytes_skipped", "marks_unsent"):
        equal(tally, profile["tallies"][tally], 0)
    step("%s: %d requests" % (what, len(requests)))


def of_tcp(port):
    return "tcp:%d" % port


for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    check_family("IPv4, by " + way, socket.AF_INET, ["tcp"], lambda port: ("127.0.0.1", port), of_tcp)
del os.environ["WPERF_SOCKETS"]
if os.path.exists("/proc/net/if_inet6"):
    check_family("IPv6", socket.AF_INET6, ["tcp6"], lambda port: ("::1", port), of_tcp)
else:
    step("IPv6: this kernel has none")
file = path("socket")
check_family("a Unix socket", socket.AF_UNIX, ["unix", file], lambda _: file, lambda _: "unix:" + file)
name = "@wperf-e2e-%d" % os.getpid()
check_family("an abstract one", socket.AF_UNIX, ["unix", name], lambda _: "\0" + name[1:], lambda _: "unix:" + name)
