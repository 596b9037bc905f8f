#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers that come before the body was read: the requests behind such a body are all there, though one read brings them
with its end."""
import collections
import socket

from clients import *

# Answers when it has read a head. What comes behind that it reads when all of it has come, so that it is known what is in
# each read.
SERVER = r"""
import array, fcntl, re, socket, sys, termios, time
SIZE = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)

def has_come(connection):
    nr = array.array("i", [0])
    fcntl.ioctl(connection, termios.FIONREAD, nr)
    return nr[0]

def serve(connection):
    data, answers = b"", 0
    while True:
        while b"\r\n\r\n" not in data:
            more = connection.recv(SIZE)
            if not more:
                return
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 3\r\n\r\nhey" % (b"200 OK" if head[:3] == b"GET" else b"413 Large"))
        rest = re.search(rb"X-Rest: (\d+) (\d+)", head)
        if not rest:
            continue
        body, all = map(int, rest.groups())
        while has_come(connection) < all:
            time.sleep(0.001)
        while len(data) < all:
            data += connection.recv(min(SIZE, all - len(data)))
        data = data[body:]

while True:
    serve(listener.accept()[0])
"""
NR = 20
CHUNKED = b"EA00\r\n" + bytes(59904) + b"\r\n0\r\n\r\n"
BODIES = ((b"Content-Length: %d" % len(CHUNKED), bytes(len(CHUNKED))), (b"Transfer-Encoding: chunked", CHUNKED))


def answer(file):
    """The status of the next one."""
    length = 0
    status = int(file.readline().split()[1])
    while (line := file.readline()) != b"\r\n":
        name, value = line.split(b":")
        length = int(value) if name.lower() == b"content-length" else length
    file.read(length)
    return status


def ask(connection, more):
    """A body, whose answer is there before it is sent; what is asked next comes with its end."""
    file = connection.makefile("rb")
    got = collections.Counter()
    following = b"GET /next HTTP/1.1\r\nHost: x\r\n%s\r\n" % more
    for framing, body in NR * BODIES:
        rest = b"X-Rest: %d %d\r\n" % (len(body), len(body) + len(following))
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\n%s%s\r\n\r\n" % (rest, framing))
        got["/upload", answer(file)] += 1
        connection.sendall(body + following)
        got["/next", answer(file)] += 1
        connection.sendall(b"GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
        got["/last", answer(file)] += 1
    return got


for size in (4096, 65536):
    for more in (b"", b"Cookie: " + 700 * b"c" + b"\r\n"):
        server = start_target("/usr/bin/python3", "-c", SERVER, str(size), ready=r"listening on (\d+)")
        with recorded(server.pid) as recording:
            with socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE) as connection:
                want = ask(connection, more)
        got = collections.Counter((r["path"], r["status"]) for r in requests_of(recording))
        equal("requests of a server that reads %d bytes" % size, got, want)
        check_clean("early answers", report(recording.file))
        stop(server)
        step("reads of %d bytes: %d requests, %d behind the end of a body" % (size, sum(got.values()), 2 * NR))
