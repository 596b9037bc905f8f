#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis's answers that are one long string, and those of a protocol that nobody knows: their first bytes travel, and no
more. Answers of many values, of several commands, and errors are known to their ends. What is asked while an answer that
is not is still being written has its name. What wants no answer is known whatever came before it."""
import collections
import socket

from clients import *
from servers import redis

NR = 20
VALUE = 256 * b"v" + 200 * b"never recorded"


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def skip_answer(file):
    line = file.readline()
    if line[:1] == b"*":
        for _ in range(int(line[1:])):
            skip_answer(file)
    elif line[:1] == b"$" and line != b"$-1\r\n":
        file.read(int(line[1:]) + 2)


def ask(connection, file, *commands):
    connection.sendall(b"".join(command(*words) for words in commands))
    for _ in commands:
        skip_answer(file)


def check_asked(what, *exchanges):
    """Nothing comes behind what is asked last, and the connection is not closed: it has to end by itself."""
    want = collections.Counter({words[0].decode(): 0 for commands in exchanges for words in commands})
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection, connection.makefile("rb") as file:
        with recorded(server.pid) as recording:
            for _ in range(NR):
                for commands in exchanges:
                    ask(connection, file, *commands)
                    want.update(words[0].decode() for words in commands)
    got = requests_of(recording)
    equal("requests, " + what, collections.Counter(r["path"] for r in got), want)
    check(all(r["elapsed"] is not None for r in got), "requests without an end, " + what)
    check_clean(what, report(recording.file))
    step("%s: %d commands" % (what, sum(want.values())))
    with open(recording.file, "rb") as f:
        return b"never recorded" in f.read()


server = redis()
port = server.port
with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection, connection.makefile("rb") as file:
    ask(connection, file, (b"SET", b"k", VALUE), (b"RPUSH", b"list", *9 * [100 * b"v"]))
get, missing, wrong = (b"GET", b"k"), (b"GET", b"none"), (b"LPOP", b"k")
check(not check_asked("one string", [get], [missing], [wrong], [get]), "the recording has a value beyond its first bytes")
many = (b"LRANGE", b"list", b"0", b"-1")
check_asked("many values", [get], [(b"MGET", b"k", b"none", b"k")], [many])
check_asked("several commands", [missing, missing], [get, missing], [get, many, missing])
check_asked("long commands", [(b"SET", b"other", VALUE)], [get], [(b"SET", b"other", VALUE), get])

with socket.socket() as connection, socket.create_connection(("127.0.0.1", port), PATIENCE) as other:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.settimeout(PATIENCE)
    with connection.makefile("rb") as file, other.makefile("rb") as others:
        ask(other, others, *16 * [(b"RPUSH", b"long", (1 << 20) * b"v")])
        with recorded(server.pid) as recording:
            connection.connect(("127.0.0.1", port))
            for words in (b"LRANGE", b"long", b"0", b"-1"), (b"STRLEN", b"none"):
                connection.sendall(command(*words))
                # Behind its answer the server has read that, too.
                ask(other, others, (b"PING",))
            skip_answer(file)
            skip_answer(file)
got = requests_of(recording)
equal("requests, while an answer is written", collections.Counter(r["path"] for r in got), {"LRANGE": 1, "STRLEN": 1, "PING": 2})
equal("of which it is not known when they ended", [r["path"] for r in got if r["elapsed"] is None], ["LRANGE"])
step("while an answer is written: %d commands" % len(got))
stop(server.process)

# ---- a protocol that nobody knows ----

UNKNOWN = r"""
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
connection = listener.accept()[0]
while connection.recv(4096):
    connection.sendall(b"\x85\0\0\0" + 256 * b"v" + 200 * b"never recorded")
connection.close()
listener.accept()
"""
server = start_target("/usr/bin/python3", "-c", UNKNOWN, ready=r"listening on (\d+)")
port = int(server.ready[1])
with recorded(server.pid) as recording, socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
    for _ in range(NR):
        connection.sendall(b"\x93\0\0\0ask" + 300 * b"x")
        left = 260 + 200 * len(b"never recorded")
        while left:
            left -= len(connection.recv(left))
got = requests_of(recording)
equal("requests, unknown", collections.Counter(r["path"] for r in got), {"tcp:%d" % port: NR})
check_clean("unknown", report(recording.file))
with open(recording.file, "rb") as f:
    check(b"never recorded" not in f.read(), "the recording has an answer that nobody can read beyond its first bytes")
step("unknown: %d exchanges" % len(got))
stop(server)

# ---- what wants no answer ----

# Says of each read how long it was, and answers what ends like one of these. An upload it reads in small pieces.
QUIET = r"""
import socket
UPLOAD = b"set k 0 0 20971518\r\n"
ANSWERS = {b"get k\r\n": b"END\r\n", b"ON\r\n": b"+OK\r\n", bytes([0x80, 10]) + bytes(22): bytes([0x81, 10]) + bytes(22)}
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    while got := connection.recv(16384):
        print(len(got), flush=True)
        if got == UPLOAD:
            left = 20 << 20
            while left:
                left -= len(connection.recv(min(left, 4096)))
            connection.sendall(b"STORED\r\n")
        for end in ANSWERS:
            if got.endswith(end):
                connection.sendall(ANSWERS[end])
    connection.close()
"""


def noreply(size):
    return b"set k 0 0 %d noreply\r\n%s\r\n" % (size, b"v" * size)


def setq(size):
    """Of memcached's binary protocol: a quiet set, of a key of one byte and eight bytes of extras."""
    return struct.pack(">BBHBBHIIQ", 0x80, 0x11, 1, 8, 0, 0, 9 + size, 0, 0) + bytes(8) + b"k" + b"v" * size


def read_alone(server, connection, what):
    """In reads of their own: what comes next is sent when they are over."""
    connection.sendall(what)
    nr = 0
    while nr < len(what):
        nr += int(server.stdout.readline())


for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", QUIET, ready=r"listening on (\d+)")
    for what, before, quiet, last, want in (
            ("noreply", noreply(1), noreply, b"get k\r\n", {"set": 217, "get": 1}),
            ("quiet binary", setq(1), setq, b"\x80\x0a" + bytes(22), {"set": 217, "noop": 1}),
            ("CLIENT REPLY OFF", command(b"CLIENT", b"REPLY", b"OFF"), lambda size: command(b"SET", b"k", b"v" * size),
             command(b"CLIENT", b"REPLY", b"ON"), {"set": 216, "client reply": 2})):
        with recorded(server.pid) as recording, socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE) as connection:
            read_alone(server, connection, before)
            for size in 200 * [10] + 10 * [1500] + 5 * [8000] + [100]:
                read_alone(server, connection, quiet(size))
            read_alone(server, connection, last)
            while not connection.recv(100).endswith((b"END\r\n", b"OK\r\n", bytes(22))):
                pass
        got = collections.Counter(r["path"].lower() for r in requests_of(recording))
        equal("requests, %s by %s" % (what, way), got, want)
        check_clean(what, report(recording.file))
        step("%s by %s: %d requests" % (what, way, sum(want.values())))

    with recorded(server.pid) as recording, socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE) as connection:
        for _ in range(3):
            read_alone(server, connection, b"set k 0 0 20971518\r\n")
            connection.sendall((20 << 20) * b"v")
            equal("the answer", connection.recv(100), b"STORED\r\n")
    got = requests_of(recording)
    equal("uploads", collections.Counter(r["path"] for r in got if r["elapsed"] is not None), {"set": 3})
    size = os.path.getsize(recording.file)
    check(size < 2 << 20, "the recording of 60 MB has %d bytes" % size)
    step("upload by %s: %d bytes" % (way, size))
    stop(server)
