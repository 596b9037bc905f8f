#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was not seen is said: the statuses of answers that one write sent together, beyond the bytes that travel; and why
there is no request at all."""
import socket

from clients import *

# Answers all requests that one read brings with one write.
SERVER = r"""
import socket
BODY = b"x" * 230
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    while got := connection.recv(65536):
        connection.sendall(got.count(b"\r\n\r\n") * (b"HTTP/1.1 200 OK\r\nContent-Length: 230\r\n\r\n" + BODY))
    connection.close()
"""
NR, AT_ONCE = 10, 4
ANSWER_BYTES = 270


def ask(connection, nr):
    connection.sendall(nr * b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
    left = nr * ANSWER_BYTES
    while left:
        left -= len(connection.recv(left))


server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"listening on (\d+)")
with recorded(server.pid) as recording:
    with socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE) as connection:
        for _ in range(NR):
            ask(connection, AT_ONCE)
        ask(connection, 1)
got = collections.Counter((r["path"], r["status"], r["elapsed"] is not None) for r in requests_of(recording))
# The first answer has 270 bytes, of which 256 travel.
nr_unseen = NR * (AT_ONCE - 1)
equal("requests", got, {("/a", 200, True): NR + 1, ("/a", None, True): nr_unseen})
profile = report(recording.file)
check_clean("pipelined", profile, but=("status_unseen",))
equal("statuses that were not seen", profile["tallies"]["status_unseen"], nr_unseen)
line = "wperf: %d requests have no status: that part of their answers was not looked at" % nr_unseen
has("what report says", profile["talk"], line)
has("what requests says", wperf("requests", "-i", recording.file).stderr, line)
step("pipelined: %d of %d statuses were not seen, and that is said" % (nr_unseen, sum(got.values())))
stop(server)

# ---- no request at all ----

# Answers datagrams.
UDP = r"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("listening on", s.getsockname()[1], flush=True)
while True:
    s.sendto(*s.recvfrom(1000))
"""


def ask_by_datagrams(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        for _ in range(5):
            client.sendto(b"ask", ("127.0.0.1", port))
            equal("echo", client.recv(100), b"ask")


def ask_by_tls(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(b"\x16\3\1\0\5hello")


def ask_nothing(port):
    pass


for source, ask, marker, why in (
        (UDP, ask_by_datagrams, "auto", "nothing came on connections to it. Datagrams (UDP) are not looked at"),
        (SERVER, ask_by_tls, "auto", "what its connections speak cannot be looked into"),
        (SERVER, ask_nothing, "func:getpid", "nothing ran that marks one"),
        (SERVER, ask_nothing, "none", "the recording has no marks of requests: see --marker of wperf record")):
    server = start_target("/usr/bin/python3", "-c", source, ready=r"listening on (\d+)")
    with recorded(server.pid, args=("--marker", marker)) as recording:
        ask(int(server.ready[1]))
    for args in ([], ["--summary"]):
        done = wperf("requests", "-i", recording.file, *args)
        has(why, done.stderr, "wperf: no request was seen: %s\n" % why)
        equal(why + ": the table", done.stdout, "")
    equal(why + ": JSON", json.loads(wperf("requests", "-i", recording.file, "--format", "json").stdout)["requests"], [])
    stop(server)
    step("no request was seen: " + why)
