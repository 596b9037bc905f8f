#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recorder that does not come to read its rings: what is lost is counted and said, what is there is right, and
what comes after the loss is whole again."""
import socket

from lib import *

NR_BROODS, NR_IN_BROOD = 2, 10000  # together more than FOLLOW_MAX_PROCESSES
NR_LOST, NR_AFTER, AT_A_TIME = 20000, 300, 50
NR_CALLS = 40000


def ask(paths):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        answers = connection.makefile("rb")
        for begin in range(0, len(paths), AT_A_TIME):
            some = paths[begin:begin + AT_A_TIME]
            connection.sendall(b"".join(b"GET %s HTTP/1.1\r\n\r\n" % each.encode() for each in some))
            left = len(some)
            while left:
                left -= answers.readline().startswith(b"HTTP/1.1 200 ")


server = start_target(os.path.join(BUILD, "examples/server"), "--epoll", ready=r"listening on 127\.0\.0\.1:(\d+)")
port = int(server.ready[1])
# On one CPU: the loss on another is told of when something happens there, which may be much later.
os.sched_setaffinity(server.pid, [min(os.sched_getaffinity(0))])
recording = Recording("-p", server.pid, "-m", "64")  # 256 KiB a CPU
recording.process.send_signal(signal.SIGSTOP)
during = ["/user/%d" % i for i in range(NR_LOST)]
ask(during)
recording.process.send_signal(signal.SIGCONT)
# The kernel tells of a loss with the next record that it has room for.
for told in ([], ["/"]):
    ask(told)
    time.sleep(0.5)
    wait_until_idle(recording.process.pid)
after = ["/user/%d" % i for i in range(10 ** 6, 10 ** 6 + NR_AFTER)]
ask(after)
recording.stop()
equal("exit status", stop(server)[0], 0)

listed = [json.loads(line) for line in wperf("requests", "-i", recording.file, "--format", "jsonl").stdout.splitlines()]
paths = [r["path"] for r in listed if r["path"] != "/"]
equal("paths that are there twice", len(paths) - len(set(paths)), 0)
equal("paths that nobody asked for", set(paths) - set(during) - set(after), set())
whole = {r["path"] for r in listed if r["elapsed"] is not None and r["status"] == 200}
equal("requests after the loss that are missing", sorted(set(after) - whole)[:5], [])
profile = report(recording.file)
missing = NR_LOST - len(set(paths) & set(during))
check(missing > NR_LOST / 2, "the rings held %d requests" % (NR_LOST - missing))
check(profile["lost"] + profile["tallies"]["marks_unsent"] > 0, "%d requests are missing, and nothing is said" % missing)
has("the report", profile["talk"], "records lost")
has("the recorder", recording.talk, "%d lost in" % profile["lost"])
step("%d requests are missing, %d records are said to be lost; %d after that are there" %
     (missing, profile["lost"], NR_AFTER))

# Processes that end while nobody reads: no record tells of it, and they make room for others all the same.
process = start_target(build("e2e_forks.c"), "brood", ready="ready", stdin=subprocess.PIPE, bufsize=1)
# The losses of a CPU of its own may be told of by nobody.
os.sched_setaffinity(process.pid, [max(os.sched_getaffinity(0))])
recording = Recording("-p", process.pid, "-m", "64", "--marker", "func:work")
for _ in range(NR_BROODS):
    recording.process.send_signal(signal.SIGSTOP)
    process.stdin.write("%d\n" % NR_IN_BROOD)
    process.stdin.flush()
    equal("the brood", process.stdout.readline(), "done\n")
    recording.process.send_signal(signal.SIGCONT)
    wait_until_idle(recording.process.pid)
    time.sleep(2.5)  # wperf looks at who is gone a second after a loss
    wait_until_idle(recording.process.pid)
process.stdin.close()
recording.wait()
check("were not followed" not in recording.talk, recording.talk)
by_process = {g["path"].split("/")[0]: g["requests"] for g in report(recording.file, "--by", "process")["groups"]}
equal("calls of a child that comes after %d that were lost" % (NR_BROODS * NR_IN_BROOD), by_process.get("last"), 20)
step("%d children came and went unseen, and the next one is recorded" % (NR_BROODS * NR_IN_BROOD))

# Whatever makes the marks: where some are missing, so may requests be.
recording = Recording("-m", "16", "--marker", "func:work", "--", path("e2e_forks"), "calls", NR_CALLS, 0)
recording.process.send_signal(signal.SIGSTOP)
command, = children(recording.process.pid)
wait_until("all is called", lambda: "Z" in states(command))
recording.process.send_signal(signal.SIGCONT)
recording.wait()
profile = report(recording.file)
unsent = profile["tallies"]["marks_unsent"]
check(unsent > 0, "no mark is said to be missing")
equal("marks", profile["tallies"]["marks"] + unsent, 2 * NR_CALLS)
has("the recorder", recording.talk, "%d marks found no room in a ring: requests may be missing" % unsent)
check(re.search(r" samples, ~\d+ requests", recording.talk), "a number of requests that looks exact:\n" + recording.talk)
has("the report", profile["talk"], "%d marks that the kernel did not pass on: requests may be missing" % unsent)
step("%d of %d marks are missing, and that is said" % (unsent, 2 * NR_CALLS))
