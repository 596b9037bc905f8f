#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers whose heads are longer than what usually travels of an answer: where they end is known as they do, also where
several of a connection's requests wait for theirs; and of the bodies hardly anything travels."""
import collections
import socket

from clients import *

# /SIZE/WAY: so long is the head, and so is the answer written. What is asked for has ASK bytes, and is read by itself; it is
# answered when so many have been as X-Several says, each by itself, too.
SERVER = r"""
import re, socket, sys, threading
ASK = int(sys.argv[1])
BODY = 300 * b"never recorded"
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)

def head_of(size, framing):
    begin, end = b"HTTP/1.1 %d OK\r\nX: " % (200 + size % 2), b"\r\n%s\r\n\r\n" % framing
    return begin + (size - len(begin + end)) * b"x" + end

def answer(connection, size, way):
    if way.startswith(b"chunk"):
        head = head_of(size, b"Transfer-Encoding: chunked") + b"%x\r\n" % len(BODY)
        if way == b"chunked":
            connection.sendall(head + BODY)
            connection.sendall(b"\r\n0\r\n\r\n")
        elif way == b"chunks":
            connection.sendall(head + BODY + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.sendall(head + BODY + b"\r\n0\r\n\r\n")
        return
    head = head_of(size, b"Content-Length: %d" % len(BODY))
    if way == b"one":
        connection.sendall(head + BODY)
    elif way == b"parts":
        connection.sendmsg([head[:100], head[100:], BODY])
    else:
        connection.sendall(head)
        connection.sendall(BODY)

def serve(connection):
    waiting = []
    while data := connection.recv(ASK, socket.MSG_WAITALL):
        size, way, several = re.match(rb"GET /(\d+)/(\w+) .*X-Several: (\d+)", data, re.S).groups()
        waiting.append((int(size), way))
        if len(waiting) == int(several):
            for each in waiting:
                answer(connection, *each)
            waiting = []

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
ASK = 100
SIZES = (150, *range(250, 264), 319, 320, 600, 1999, 4000)
WAYS = ("one", "parts", "two", "chunked", "chunks", "chunk")
ASKS = [(size, way) for way in WAYS for size in SIZES]


def ask(connection, *asks):
    """What was asked for is all answered when this returns."""
    for size, way in asks:
        text = b"GET /%d/%s HTTP/1.1\r\nX-Several: %d\r\nX: " % (size, way.encode(), len(asks))
        connection.sendall(text.ljust(ASK - 4, b"x") + b"\r\n\r\n")
    with connection.makefile("rb") as file:
        for size, way in asks:
            head = b"".join(iter(file.readline, b"\r\n")) + b"\r\n"
            equal("length of a head", len(head), size)
            length = int(file.readline(), 16) + len(b"\r\n0\r\n\r\n") if way.startswith("chunk") else int(head.split()[-1])
            equal("length of a body", len(file.read(length)), length)


def check_asked(what, exchanges):
    """Each on a connection of its own, on which nothing comes behind it and which is not closed: it has to end by itself."""
    with contextlib.ExitStack() as stack:
        with recorded(server.pid) as recording:
            for asks in exchanges:
                ask(stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)), *asks)
    got = requests_of(recording, "--path-raw")
    equal("requests, " + what, collections.Counter(map(asked, got)),
          collections.Counter(("GET", "/%d/%s" % each, 200 + each[0] % 2) for asks in exchanges for each in asks))
    equal("requests without an end, " + what, [r["path"] for r in got if r["elapsed"] is None], [])
    check_clean(what, report(recording.file))
    with open(recording.file, "rb") as f:
        check(20 * b"never recorded" not in f.read(), "the recording has bodies behind long heads, " + what)
    step("%s: %d requests" % (what, len(got)))


server = start_target("/usr/bin/python3", "-c", SERVER, str(ASK), ready=r"listening on (\d+)")
port = int(server.ready[1])
check_asked("one at a time", [[each] for each in ASKS])
check_asked("several at a time", [ASKS[i:i + 4] for i in range(0, len(ASKS), 4)])

with open(path("live.jsonl"), "wb") as out, open(path("live.err"), "wb") as talk:
    live = start(WPERF, "live", "-v", "-p", str(server.pid), "--format", "jsonl", stdout=out, stderr=talk)


def lines_of(name):
    with open(path(name), encoding="utf-8") as f:
        return f.read().splitlines()


wait_until("wperf live attaches", lambda: "wperf: attached" in lines_of("live.err"))
with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
    for nr, each in enumerate(ASKS[::5], 1):
        ask(connection, each)
        wait_until("%r is told of as it ends" % (each,), lambda: len(lines_of("live.jsonl")) == nr)
live.send_signal(signal.SIGINT)
equal("exit status of wperf live", live.wait(PATIENCE), GOOD)
step("live: %d requests as they end" % nr)
stop(server)
