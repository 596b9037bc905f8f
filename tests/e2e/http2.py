#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 without TLS on connections that were open before the recording: no request is made up of it, and it is said."""
import socket

from clients import *

# Answers each read with what it is asked to at the end of it: a server of HTTP/2, as far as bytes go.
SERVER = r"""
import socket, threading
def serve(connection):
    while True:
        got = connection.recv(65536)
        if not got:
            return connection.close()
        connection.sendall(b"\0\0\1\1\5" + got[5:9] + b"\x88")
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
NR_CONNECTIONS, NR_ASKS = 5, 20


def frame(of_type, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([of_type, flags]) + stream.to_bytes(4, "big") + payload


def get(stream):
    """GET / by http, the authority from the dynamic table."""
    return frame(1, 5, stream, b"\x82\x86\x84\xbe")


def call(stream):
    """A call of gRPC: headers, a message of 300 bytes, and what goes with them."""
    return (frame(8, 0, 0, (5).to_bytes(4, "big")) + frame(6, 0, 0, b"\2\4\x10\x10\t\x0e\7\7") +
            frame(1, 4, stream, b"\x83\x86\xc4\xc3\xc2\xc1\xc0\xbf\xbe") +
            frame(0, 1, stream, b"\0\0\0\1\x27" + b"\n\xa4\2" + bytes(292)))


def ask(connection, data):
    connection.sendall(data)
    equal("length of the answer", len(connection.recv(100)), 10)


server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"listening on (\d+)")
port = int(server.ready[1])
for asks in (get, call):
    connections = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(NR_CONNECTIONS)]
    for connection in connections:
        ask(connection, PREFACE)
        ask(connection, asks(1))
    recording = Recording("-p", server.pid)
    for i in range(NR_ASKS):
        for connection in connections:
            ask(connection, asks(3 + 2 * i))
    wait_until_idle(server.pid)
    recording.stop()
    for connection in connections:
        connection.close()
    equal("requests", len(requests_of(recording)), 0)
    profile = report(recording.file)
    check_clean(asks.__name__, profile, but=("http2",))
    equal("connections of HTTP/2", profile["tallies"]["http2"], NR_CONNECTIONS)
    has("what is said", profile["talk"], "wperf: %d connections speak HTTP/2: their requests are not seen" %
        NR_CONNECTIONS)
    step("%s: %d connections are known" % (asks.__name__, NR_CONNECTIONS))
equal("exit status", stop(server)[0], 128 + signal.SIGTERM)
