#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that begins to listen on one port after the other while wperf attaches. From then on all requests count,
also those on connections that have been used before. Both ways of seeing a server's connections."""
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
