#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server whose bytes are encrypted, attached to in the middle of sessions: some of them look like one protocol's or
another's, and what it answers never does. All its requests are called by its port."""
import random
import socket

from clients import *

# As sshd sees a session: each side's bytes are as good as random, and come in pieces of any length.
SERVER = r"""
import random, socket, threading
def serve(connection, dice):
    while connection.recv(65536):
        connection.sendall(dice.randbytes(dice.randint(20, 300)))
    connection.close()
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
for seed in range(1000):
    threading.Thread(target=serve, args=(listener.accept()[0], random.Random(seed)), daemon=True).start()
"""
NR_SESSIONS, NR_KEYS = 4, 1500


class Session:
    def __init__(self, port, seed):
        self.connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.dice = random.Random(1000 + seed)

    def type(self, nr):
        for _ in range(nr):
            self.connection.sendall(self.dice.randbytes(self.dice.randint(20, 300)))
            check(self.connection.recv(65536), "the server has hung up")


server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"listening on (\d+)")
port = int(server.ready[1])
sessions = [Session(port, i) for i in range(NR_SESSIONS)]
for session in sessions:
    session.type(3)
recording = Recording("-p", server.pid)
for session in sessions:
    session.type(NR_KEYS)
wait_until_idle(server.pid)
recording.stop()

requests = requests_of(recording)
names = collections.Counter(r["path"] for r in requests)
tcp = "tcp:%d" % port
equal("names of requests", set(names), {tcp})
profile = report(recording.file)
for tally in "tls", "http2":
    equal("connections that are taken for " + tally, profile["tallies"][tally], 0)
# Each key is a request, but for those that look like another protocol's messages that are none.
asked = NR_SESSIONS * NR_KEYS
check(asked * 97 // 100 <= names[tcp] <= asked, "%d requests of %d keys" % (names[tcp], asked))
unfinished = sum(r["elapsed"] is None for r in requests)
check(unfinished <= NR_SESSIONS, "%d requests have no end" % unfinished)
step("encrypted: %d keys in sessions that were open before: %d requests, %d without an end" %
     (asked, len(requests), unfinished))
