#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that receives bodies by splice(2), as proxies do: what passes by no read is counted as read,
both ways of seeing a server's connections. The bodies look like requests, and are none. Where a client resets
its connection, nothing has passed. Of a server that reads its requests so, too, it is said that they are missing. Bytes out
of band are no part of what is read."""
import collections
import socket

from clients import *

NR, SIZE = 40, 30000

SERVER = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
while True:
    client, _ = listening.accept()
    out, into = os.pipe()
    head = b""
    while True:
        more = client.recv(1)
        if not more:
            break
        head += more
        if not head.endswith(b"\\r\\n\\r\\n"):
            continue
        if head.startswith(b"GET"):
            try:
                client.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 9000000\\r\\n\\r\\n" + bytes(9000000))
            except OSError:
                pass
            break
        left = %d
        while left:
            nr = os.splice(client.fileno(), into, left)
            left -= nr
            while nr:
                nr -= len(os.read(out, nr))
        head = b""
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    for fd in out, into:
        os.close(fd)
    client.close()
""" % SIZE


def ask(port, target):
    body = (b"GET /body HTTP/1.1\r\n\r\n" * SIZE)[:SIZE]
    with socket.create_connection(("127.0.0.1", port)) as s:
        for _ in range(NR):
            s.sendall(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (target, SIZE) + body)
            check(s.recv(1000).startswith(b"HTTP/1.1 200 OK"), "the server answers")


def reset(port):
    """While the server is in the middle of its write."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        check(s.recv(1000).startswith(b"HTTP/1.1 200 OK"), "the server answers")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start("/usr/bin/python3", "-c", SERVER, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    recording = Recording("-p", server.pid)
    for target in b"/a", b"/b":
        ask(port, target)
    reset(port)
    stop(server)
    recording.stop()
    finished = collections.Counter(asked(r) for r in requests_of(recording))
    equal("requests, by %s" % way, finished,
          {("POST", "/a", 200): NR, ("POST", "/b", 200): NR, ("GET", "/large", 200): 1})
    equal("bytes skipped, by %s" % way, report(recording.file)["tallies"]["bytes_skipped"], 0)
    step("by %s: %s" % (way, dict(finished)))

# ---- who reads nothing else ----

NR_UNSEEN = 10
REQUEST = b"GET /unseen HTTP/1.1\r\n\r\n"

SPLICES = """
import os, socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
out, into = os.pipe()
while True:
    client, _ = listening.accept()
    while os.splice(client.fileno(), into, 65536):
        os.read(out, 65536)
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    client.close()
"""

for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start("/usr/bin/python3", "-c", SPLICES, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    with recorded(server.pid) as recording, socket.create_connection(("127.0.0.1", port)) as s:
        for _ in range(NR_UNSEEN):
            s.sendall(REQUEST)
            check(s.recv(1000).startswith(b"HTTP/1.1 200 OK"), "the server answers")
    stop(server)
    equal("requests, by " + way, requests_of(recording), [])
    # By tracepoints, what came before the first thing that was seen may have come before the recording.
    nr = len(REQUEST) * (NR_UNSEEN - (way == "traces"))
    equal("bytes skipped, by " + way, report(recording.file)["tallies"]["bytes_skipped"], nr)
    has("what is said, by " + way, wperf("requests", "-i", recording.file).stderr,
        "wperf: no request was seen: what it read on its connections was not looked at\n")
    step("by %s: %d bytes were not looked at, and that is said" % (way, nr))

# ---- what comes out of band ----

URGENT = """
import itertools, select, socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
client, _ = listening.accept()
for i in itertools.count():
    if i % 2:
        select.select([], [], [client])
        assert client.recv(1, socket.MSG_OOB) == b"!"
    if not client.recv(1000):
        break
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
client.close()
listening.accept()
"""

for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start("/usr/bin/python3", "-c", URGENT, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    with recorded(server.pid) as recording, socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        for i in range(2 * NR):
            for _ in range(2 - i % 2):  # one that nobody reads gives way to the next one
                s.send(b"!", socket.MSG_OOB)
            s.sendall(b"GET /urgent HTTP/1.1\r\n\r\n")
            check(s.recv(1000).startswith(b"HTTP/1.1 200 OK"), "the server answers")
    stop(server)
    equal("requests beside urgent bytes, by " + way, collections.Counter(asked(r) for r in requests_of(recording)),
          {("GET", "/urgent", 200): 2 * NR})
    check_clean("urgent bytes, by " + way, report(recording.file))
    step("urgent bytes, by %s: %d requests" % (way, 2 * NR))
