#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that begins to listen on one port after the other while wperf attaches. From then on all requests count,
also those on connections that have been used before. Both ways of seeing a server's connections. And one that begins
to listen on a Unix socket, where tracepoints do not see how long an answer lasts: that is said."""
import socket

from clients import *

SERVER = """
import socket, sys, threading
def serve(client):
    while client.recv(1000):
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
for line in sys.stdin:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
"""


def ask(connection, target):
    connection.sendall(b"GET %s HTTP/1.1\r\n\r\n" % target)
    check(connection.recv(1000).startswith(b"HTTP/1.1 200 OK"), "the server answers")


def listen_on_and_on(server, connections, is_attached):
    while not is_attached.wait(0.02):
        server.stdin.write("more\n")
        server.stdin.flush()
        connections.append(socket.create_connection(("127.0.0.1", int(server.stdout.readline()))))
        ask(connections[-1], b"/early")


for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start("/usr/bin/python3", "-c", SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    connections, is_attached = [], threading.Event()
    listening = threading.Thread(target=listen_on_and_on, args=(server, connections, is_attached), daemon=True)
    listening.start()
    wait_until("it listens", lambda: connections)
    with recorded(server.pid) as recording:
        is_attached.set()
        listening.join(PATIENCE)
        for used in connections:
            ask(used, b"/used")
            with socket.create_connection(used.getpeername()) as fresh:
                ask(fresh, b"/fresh")
    stop(server)
    nr = len(connections)
    check_counts("%d ports, by %s" % (nr, way), recording, {("GET", "/used", 200): nr, ("GET", "/fresh", 200): nr},
                 is_one=lambda request: request["path"] != "/early")

# ---- Unix sockets ----

NR = 10

LASTING = """
import socket, sys
sys.stdin.readline()
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(50)
print("listening", flush=True)
while True:
    client = listener.accept()[0]
    client.recv(1000)
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nas long as it is")
    client.close()
"""

for way, nr_ends in ("traces", 0), ("calls", NR):
    os.environ["WPERF_SOCKETS"] = way
    server = start("/usr/bin/python3", "-c", LASTING, path(way), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with recorded(server.pid) as recording:
        server.stdin.write("now\n")
        server.stdin.flush()
        equal("the server", server.stdout.readline(), "listening\n")
        for _ in range(NR):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path(way))
                s.sendall(b"GET /lasting HTTP/1.0\r\n\r\n")
                while s.recv(1000):
                    pass
    stop(server)
    ends = [request["elapsed"] is not None for request in requests_of(recording)]
    equal("requests that end, by " + way, (len(ends), sum(ends)), (NR, nr_ends))
    equal("what is said, by " + way, "%d connections of Unix sockets, whose ends were not seen" % NR in recording.talk,
          way == "traces")
    step("Unix, by %s: %d of %d requests end" % (way, nr_ends, NR))
