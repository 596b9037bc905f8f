#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""connections.py PORT CONNECTIONS REQUESTS: opens so many connections to a server of HTTP on loopback, and
asks for /user/N, each N once, on all of them at a time until that many requests are answered.

Says "open" when all are connected, and "answered" at the end. The connections stay until stdin ends.
"""
import socket
import sys

IP_BIND_ADDRESS_NO_PORT = 24  # <linux/in.h>: the port is chosen when it connects, in microseconds
PER_ADDRESS = 2500  # of the client's; ports in TIME_WAIT of a run before do not matter then


def connect(port, i):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    s.bind(("127.0.0.%d" % (2 + i // PER_ADDRESS), 0))
    s.connect(("127.0.0.1", port))
    return s


def read_answer(s):
    got = s.recv(4096)
    while b"\r\n\r\n" not in got:
        more = s.recv(4096)
        if not more:
            sys.exit("connections: the server closed")
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]) - len(body)
    while left > 0:
        left -= len(s.recv(left))


def main():
    port, nr_connections, nr_requests = map(int, sys.argv[1:])
    connections = [connect(port, i) for i in range(nr_connections)]
    print("open", flush=True)
    for begin in range(0, nr_requests, nr_connections):
        some = connections[:nr_requests - begin]
        for i, s in enumerate(some):
            s.sendall(b"GET /user/%d HTTP/1.1\r\nHost: x\r\n\r\n" % (begin + i))
        for s in some:
            read_answer(s)
    print("answered", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
