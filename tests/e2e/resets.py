#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that a server reads when their client has reset the connection already: they are the port's, though the
kernel's socket has lost its hold on that. Both ways of seeing a server's connections."""
import collections
import socket

from clients import *

NR = 20

SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0), backlog=100)
print(listener.getsockname()[1], flush=True)
for line in sys.stdin:
    for i in range(int(line)):
        client = listener.accept()[0]
        client.recv(1000)
        client.close()
    print("done", flush=True)
"""


def reset_behind(port, request):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(request)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start("/usr/bin/python3", "-c", SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    for marker, want in (("auto", {"/reset": NR, "tcp:%d" % port: NR}), ("http:%d" % port, {"/reset": NR})):
        with recorded(server.pid, args=("--marker", marker)) as recording:
            for request in (b"GET /reset HTTP/1.1\r\n\r\n", b"what is this?\n") * NR:
                reset_behind(port, request)
            server.stdin.write("%d\n" % (2 * NR))
            server.stdin.flush()
            equal("the server", server.stdout.readline(), "done\n")
        equal("requests, by %s, --marker %s" % (way, marker),
              collections.Counter(request["path"] for request in requests_of(recording)), want)
        step("by %s, --marker %s: %s" % (way, marker, want))
    stop(server)
