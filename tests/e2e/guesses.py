#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sshd, attached to in the middle of sessions: some of its bytes look like one protocol's or another's, and what it
answers never does. All its requests are called by its port."""
import getpass
import socket

from clients import *

NR_KEYS, NR_COPIES = 1000, 3
USER = getpass.getuser()
COMMON = ["-F", "none", "-i", path("key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
          "-o", "LogLevel=ERROR", "-o", "IPQoS=none"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start_sshd():
    """With keys, a port and a configuration of its own; the port."""
    os.makedirs("/run/sshd", exist_ok=True)
    for key in "host", "key":
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(key))
    os.rename(path("key.pub"), path("authorized_keys"))
    port = free_port()
    with open(path("sshd_config"), "w") as f:
        f.write("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nUsePAM no\n"
                "StrictModes no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n" %
                (port, path("host"), path("authorized_keys")))
    with open(path("sshd.log"), "w") as log:
        process = start("/usr/sbin/sshd", "-D", "-e", "-f", path("sshd_config"), stderr=log)

    def answers():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
    wait_until("sshd answers", answers)
    return process, port


class Session:
    """Of cat, which says what it is told."""

    def __init__(self, port):
        self.process = start("ssh", *COMMON, "-p", str(port), USER + "@127.0.0.1", "cat", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)

    def type(self, nr):
        for i in range(nr):
            key = b"abcdefghijklmnopqrstuvwxyz"[i % 26:][:1]
            os.write(self.process.stdin.fileno(), key)
            equal("what is typed", os.read(self.process.stdout.fileno(), 10), key)


def copy(port, to):
    run("scp", "-q", *COMMON, "-P", str(port), path("large"), "%s@127.0.0.1:%s" % (USER, to))


sshd, port = start_sshd()
with open(path("large"), "wb") as f:
    f.write(os.urandom(4 << 20))
sessions = [Session(port) for _ in range(2)]
for session in sessions:
    session.type(3)
recording = Recording("-p", sshd.pid)
for session in sessions:
    session.type(NR_KEYS)
for i in range(NR_COPIES):
    copy(port, path("copy%d" % i))
recording.stop()

requests = requests_of(recording)
names = collections.Counter(r["path"] for r in requests)
tcp = "tcp:%d" % port
equal("names of requests", set(names), {tcp})
profile = report(recording.file)
for tally in "tls", "http2":
    equal("connections that are taken for " + tally, profile["tallies"][tally], 0)
# Each key is a request, but for those that look like another protocol's messages that are none.
check(names[tcp] >= 2 * NR_KEYS * 97 // 100, "only %d requests of %d keys" % (names[tcp], 2 * NR_KEYS))
unfinished = sum(r["elapsed"] is None for r in requests)
check(unfinished <= len(sessions) + NR_COPIES, "%d requests have no end" % unfinished)
step("sshd: %d keys in sessions that were open before, %d copies: %d requests, %d without an end" %
     (2 * NR_KEYS, NR_COPIES, len(requests), unfinished))
for session in sessions:
    session.process.kill()
