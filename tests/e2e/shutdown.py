#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers that last until the server shuts its half of the connection: they are whole then, though neither side closes,
and what the client says after it is no request. Clients that shut theirs before the server has read what they ask for. A
server that has stopped listening, and serves those that it has. And connections that are closed by a dup2(2) over them, or by
close_range(2), and not by calls that fail. Both ways of seeing a server's connections, TCP and Unix sockets."""
import collections
import socket

from clients import *

NR = 20

SERVER = """
import ctypes, os, socket, sys, threading
def serve(client):
    head = b""
    while b"\\r\\n\\r\\n" not in head:
        head += client.recv(1000)
    if b"/fails" in head:
        for ends in (lambda: os.dup2(1000000, client.fileno())), (lambda: client.shutdown(7)):
            try:
                ends()
                sys.exit("it did not fail")
            except OSError:
                pass
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nas long as it is")
    if b"/dup" in head:
        os.dup2(0, client.fileno())
        return
    if b"/range" in head:
        fd = client.detach()
        ctypes.CDLL(None).syscall(436, fd, fd, 0)
        return
    client.shutdown(socket.SHUT_WR)
    while client.recv(1000):
        pass
listening = socket.create_server(("127.0.0.1", 0)) if sys.argv[1] == "tcp" else socket.socket(socket.AF_UNIX)
if sys.argv[1] != "tcp":
    listening.bind(sys.argv[1])
    listening.listen(50)
print(listening.getsockname()[1] if sys.argv[1] == "tcp" else "bound", flush=True)
clients = []
while True:
    client, _ = listening.accept()
    clients.append(client)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
"""


def ask(address, target):
    connection = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
    connection.connect(address)
    connection.sendall(b"GET %s HTTP/1.0\r\n\r\n" % target)
    answer = b""
    while more := connection.recv(1000):
        answer += more
    check(answer.endswith(b"as long as it is"), "the server answers")
    if target == b"/shut":
        connection.sendall(b"GET /never HTTP/1.0\r\n\r\n")
    return connection


for way, name in ("traces", "tcp"), ("calls", "tcp"), ("calls", path("socket")):
    os.environ["WPERF_SOCKETS"] = way
    server = start("/usr/bin/python3", "-c", SERVER, name, stdout=subprocess.PIPE, text=True)
    said = server.stdout.readline()
    address = ("127.0.0.1", int(said)) if name == "tcp" else name
    recording = Recording("-p", server.pid)
    connections = [ask(address, target) for target in (b"/shut", b"/dup", b"/range", b"/fails") * NR]
    time.sleep(0.2)
    recording.stop()
    got = collections.Counter((r["path"], r["status"], r["elapsed"] is not None) for r in requests_of(recording))
    equal("requests", got, {(target, 200, True): NR for target in ("/shut", "/dup", "/range", "/fails")})
    stop(server)
    step("%s, by %s: %d requests" % (name if name == "tcp" else "Unix", way, 4 * NR))

# ---- the client's end is there before its request is read ----

# Each connection is accepted behind a line from its stdin; what it speaks nobody knows.
LATE = """
import socket, sys
listening = socket.create_server(("127.0.0.1", 0)) if sys.argv[1] == "tcp" else socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
if sys.argv[1] != "tcp":
    listening.bind(("127.0.0.1", 0))
    listening.listen()
print(listening.getsockname()[1], flush=True)
for line in sys.stdin:
    client, _ = listening.accept()
    while client.recv(4096):
        pass
    client.sendall(b"answer")
    client.close()
"""


def protocols():
    yield "tcp", 0
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
        yield "mptcp", 262
    except OSError:
        pass


for way, (name, protocol) in itertools.product(("traces", "calls"), protocols()):
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", LATE, name, ready=r"(\d+)", stdin=subprocess.PIPE)
    with recorded(server.pid) as recording:
        for _ in range(NR):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as client:
                client.settimeout(PATIENCE)
                client.connect(("127.0.0.1", int(server.ready[1])))
                client.sendall(b"example.com\r\n")
                client.shutdown(socket.SHUT_WR)
                server.stdin.write("go\n")
                server.stdin.flush()
                equal("answer", client.recv(100), b"answer")
    check_counts("%s, by %s, shut by clients first" % (name, way), recording, {"tcp:" + server.ready[1]: NR},
                 key=lambda request: request["path"])
    stop(server)

# ---- nobody listens any more ----

DRAINING = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
client, _ = listening.accept()
listening.close()
print("closed", flush=True)
while client.recv(1000):
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""

for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", DRAINING, ready=r"(\d+)")
    with socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE) as client:
        equal("server", server.stdout.readline(), "closed\n")
        with recorded(server.pid) as recording:
            for _ in range(NR):
                client.sendall(b"GET /a HTTP/1.1\r\n\r\n")
                has("answer", client.recv(1000).decode(), "200 OK")
        check_counts("draining, by " + way, recording, {("GET", "/a", 200): NR})
    server.wait(PATIENCE)
