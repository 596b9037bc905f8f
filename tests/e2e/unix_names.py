#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unix connections whose clients have names of their own, both ways of seeing them: those that the target has opened are
none that it serves, those that it has accepted are, whether they were there before the recording or not."""
import collections
import socket

from clients import *

# Asks a back-end on each of its connections, of which the last two are made for the first request, and answers.
SERVER = r"""
import socket, sys

def connect(kind):
    backend = socket.socket(socket.AF_UNIX)
    if kind == "bound":
        backend.bind(sys.argv[2] + "_of_ours_" + str(len(backends)))
    elif kind == "passcred":
        backend.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    backend.connect(sys.argv[2])
    backends.append(backend)

def ask(backend):
    backend.sendall(b"*1\r\n$4\r\nPING\r\n")
    assert backend.recv(100) == b"+PONG\r\n"

def serve(connection):
    while connection.recv(1000):
        if len(backends) == 3:
            for kind in "plain", "bound", "passcred":
                connect(kind)
        for backend in backends:
            ask(backend)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

backends = []
for kind in "plain", "bound", "passcred":
    connect(kind)
for backend in backends:
    ask(backend)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listening", flush=True)
while True:
    serve(listener.accept()[0])
"""
NR = 20


def answer_pings(connection):
    while connection.recv(100):
        connection.sendall(b"+PONG\r\n")


def be_backend(listener):
    while True:
        threading.Thread(target=answer_pings, args=(listener.accept()[0],), daemon=True).start()


def connect(kind):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    if kind == "bound":
        client.bind(front + "_client_%d" % len(os.listdir(os.path.dirname(front))))
    client.connect(front)
    return client


def ask(client, target):
    client.sendall(b"GET %s HTTP/1.1\r\n\r\n" % target)
    has("answer", client.recv(1000).decode(), "200 OK")


for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    front, back = path("front_" + way), path("back_" + way)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(back)
        listener.listen()
        threading.Thread(target=be_backend, args=(listener,), daemon=True).start()
        server = start_target("/usr/bin/python3", "-c", SERVER, front, back, ready="listening")
        with connect("bound") as before:
            ask(before, b"/before")
            with recorded(server.pid) as recording:
                for _ in range(NR):
                    ask(before, b"/before")
                before.close()
                for kind in "plain", "bound":
                    with connect(kind) as client:
                        for _ in range(NR):
                            ask(client, b"/" + kind.encode())
        stop(server)
        want = {("GET", "/" + each, 200, True): NR for each in ("before", "plain", "bound")}
        got = collections.Counter((r["method"], r["path"], r["status"], r["elapsed"] is not None) for r in requests_of(recording))
        equal("requests, by " + way, got, want)
        check_clean("by " + way, report(recording.file))
        step("by %s: %d requests" % (way, sum(want.values())))
