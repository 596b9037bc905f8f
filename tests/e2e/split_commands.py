#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Of what is read behind the begin of a command that came with an answered one, as much is looked at as of commands: whatever
its first bytes are. Of TLS, which a protocol may go on with, no more travels than ever."""
import collections
import socket

from clients import *

# Reads so many bytes, says so, and answers with so many writes.
SERVER = r"""
import json, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for nr, answers in json.loads(sys.stdin.readline()):
        while nr > 0:
            more = connection.recv(nr)
            if not more:
                break
            nr -= len(more)
        for answer in answers:
            connection.sendall(answer.encode("latin-1"))
    connection.recv(1)
    connection.close()
"""
NR = 5
LONG = 300 * b"v"


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def split(value, at, rest):
    """A PING and a SET that is cut in its value; the rest of that, and what is asked behind it."""
    both = command(b"PING") + command(b"SET", b"k", value)
    cut = both.index(value) + at
    return both[:cut], both[cut:] + rest


def exchange(connection, what, answers):
    connection.sendall(what)
    left = sum(map(len, answers))
    while left:
        left -= len(connection.recv(left))


def check_split(what, first, rest, first_answer, answers, want):
    both = (first, [first_answer]), (rest, answers)
    with recorded(server.pid) as recording, socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        say(NR * both)
        for _ in range(NR):
            for each in both:
                exchange(connection, *each)
    got = requests_of(recording)
    equal("requests, " + what, collections.Counter(r["path"] for r in got), {name: NR * nr for name, nr in want.items()})
    check(all(r["elapsed"] is not None for r in got), "requests without an end, " + what)
    check_clean(what, report(recording.file))
    step("%s: %d requests" % (what, len(got)))


def say(exchanges):
    server.stdin.write(json.dumps([(len(what), [a.decode("latin-1") for a in answers]) for what, answers in exchanges]) + "\n")
    server.stdin.flush()


get, value = command(b"GET", b"k"), b"$%d\r\n%s\r\n" % (len(LONG), LONG)
incr, binary = 30 * command(b"INCR", b"n"), b"ab" + bytes(6) + b"\x16\x17\x80POST"
counted, pong = [b"+OK\r\n" + 30 * b":1\r\n"], b"+PONG\r\n"
for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"listening on (\d+)", stdin=subprocess.PIPE)
    port = int(server.ready[1])
    for at, what in (2, "zeros"), (8, "0x16"), (9, "0x17"), (11, "a method"):
        check_split("Redis, %s, by %s" % (what, way), *split(binary, at, incr), pong, counted, {"PING": 1, "SET": 1, "INCR": 30})
    check_split("Redis, a digit, by " + way, *split(b"12345678", 3, 5 * get), pong, [b"+OK\r\n"] + 5 * [value],
                {"PING": 1, "SET": 1, "GET": 5})
    begun = b"get a\r\nset k 0 0 8\r\n"
    check_split("memcached, zeros, by " + way, begun, bytes(8) + b"\r\n" + 30 * b"get kkkkkkkkkkkk\r\n", b"END\r\n",
                [b"STORED\r\n" + 30 * b"END\r\n"], {"get": 31, "set": 1})
    check_split("memcached, a digit, by " + way, begun, b"12345678\r\n" + 5 * b"get k\r\n", b"END\r\n",
                [b"STORED\r\n"] + 5 * [b"VALUE k 0 300\r\n" + LONG + b"\r\nEND\r\n"], {"get": 6, "set": 1})

    # What a client of PostgreSQL's asks for, and what looks like TLS.
    records = 300 * b"x" + 50 * b"never recorded"
    with recorded(server.pid) as recording, socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        both = (struct.pack(">II", 8, 80877103), [b"S"]), *NR * [(b"\x16\x03\x03" + records, [b"\x16\x03\x03" + records])]
        say(both)
        for each in both:
            exchange(connection, *each)
    with open(recording.file, "rb") as f:
        check(b"never recorded" not in f.read(), "the recording has more of TLS than its first bytes, by " + way)
    step("TLS within PostgreSQL's, by " + way)
    stop(server)
del os.environ["WPERF_SOCKETS"]
