#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wait that finds its event there already ends a request, too: what a server that never sleeps does between its wait and
the next read is nobody's, however it waits. So where system calls are looked at, and so where calls are counted."""
import socket

from clients import *

NR = 25


def record(server, port, *args):
    """NR requests, whose connections are there before the server runs on."""
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(NR)]
    for c in clients:
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
    recording = Recording("-p", server.pid, *args)
    server.send_signal(signal.SIGCONT)
    for c in clients:
        while c.recv(1000):
            pass
    recording.stop()
    return report(recording.file)


def check_way(how, value_of, *args):
    server = start(program, how, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    wait_until("it has stopped", lambda: open("/proc/%d/stat" % server.pid).read().split()[2] == "T")
    profile = record(server, port, *args)
    stop(server)
    inside, outside = ({f["function"]: f[value_of] for f in group(profile, name)["functions"] if f[value_of]}
                       for name in ("/", "(outside)"))
    equal("requests", group(profile, "/")["requests"], NR)
    check("handle" in inside and "handle" not in outside, "%s: handle() is not the requests'" % how)
    check("between" in outside and "between" not in inside, "%s: between() has %r %s in requests, %r outside" %
          (how, inside.get("between"), value_of, outside.get("between")))
    step("%s: %d %s in requests, %d outside" % (how, inside["handle"], value_of, outside["between"]))
    return inside, outside


program = build("e2e_waits.c")
os.environ["WPERF_SOCKETS"] = "calls"
for how in ("epoll",) if IS_SANITIZED else ("epoll", "poll", "select", "accept"):  # the same of wperf's code
    check_way(how, "samples", "-F", "499")
del os.environ["WPERF_SOCKETS"]
inside, outside = check_way("accept", "ncalls", "--calls", "handle", "--calls", "between")
equal("calls of handle()", inside["handle"], NR)
check(outside["between"] in (NR, NR + 1), "between() was called %d times" % outside["between"])
