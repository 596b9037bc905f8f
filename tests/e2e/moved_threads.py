#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A thread that reads and writes heads on one CPU and sends the files behind them on another: each status is its own
request's. Both ways of seeing a server's connections."""
import collections
import socket

from clients import *

ASKED = "/other", "/next"
NR = 100
STATUS = {"/other": 200, "/next": 404}

SERVER = r"""
import os, socket, tempfile
cpus = sorted(os.sched_getaffinity(0))
first, last = cpus[0], cpus[-1]
file = tempfile.TemporaryFile()
file.write(b"x" * 1000)
file.flush()
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    client = listener.accept()[0]
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        head = client.recv(4096)
        if not head:
            break
        is_next = head.split()[1] == b"/next"
        os.sched_setaffinity(0, {last if is_next else first})
        client.sendall(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % ((404, 1000) if is_next else (200, 10)))
        os.sched_setaffinity(0, {first})
        os.sendfile(client.fileno(), file.fileno(), 0, 1000 if is_next else 10)
        os.sched_setaffinity(0, {first if is_next else last})
    client.close()
"""

for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"port (\d+)")
    with recorded(server.pid) as recording:
        connection = socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE)
        answers = connection.makefile("rb")
        for target in ASKED * NR:
            connection.sendall(b"GET %s HTTP/1.1\r\n\r\n" % target.encode())
            answers.readline()
            length = int(answers.readline().split()[1])
            answers.readline()
            equal("bytes of an answer", len(answers.read(length)), length)
        connection.close()
    equal("requests and their statuses, by " + way, collections.Counter((r["path"], r["status"]) for r in requests_of(recording)),
          {(target, STATUS[target]): NR for target in ASKED})
    stop(server)
