#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Without privileges: own processes are sampled in user space, which is said; all else is refused with
what would help."""
import http.client
import resource

from lib import *

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
          "--bounding-set=-all")
forks = build("e2e_forks.c")
threads = build("e2e_threads.c")
folder = path("nobody")
os.mkdir(folder)
os.chown(folder, 65534, 65534)


def record(*args, status=0, **options):
    file = os.path.join(folder, "own.data")
    done = run(*NOBODY, WPERF, "record", "-o", file, *args, status=status, **options)
    return file, done.stderr


def refused(what, talk, part):
    lines = talk.splitlines()
    errors = [i for i, line in enumerate(lines) if part in line]
    check(errors and lines[errors[0]].startswith("wperf: "), "%s: no %r in:\n%s" % (what, part, talk))
    check(errors[0] + 1 < len(lines), "%s: no remedy:\n%s" % (what, talk))


file, talk = record("--", forks, "calls", "60", "5")
said = [line for line in talk.splitlines() if "without privileges" in line]
equal("lines that say what is missing:\n" + talk, len(said), 1)
has("what more privilege gives", said[0], "root")
profile = report(file)
check(samples_of(profile, "burn") > 50, "hardly any samples")
has("why there is no request", wperf("requests", "-i", file).stderr, "or wperf record could not make any, and said why")
has("and in wperf live", run(*NOBODY, WPERF, "live", "--", forks, "calls", "3", "5").stderr, "or the recorder could not make any, and said why")
kernel = [f for g in profile["groups"] for f in g["functions"] if f["module"] == "[kernel]"]
equal("functions of the kernel", kernel, [])
step("a command of one's own, user space only: %d samples" % profile["tallies"]["samples"])

process = start_target(*NOBODY, threads, "20", "40", ready="ready", stdin=subprocess.PIPE)
talk_file = path("late.err")
with open(talk_file, "w") as talk:
    recorder = start(*NOBODY, WPERF, "record", "-v", "-F", "4000", "-o", folder + "/late.data", "-p",
                     str(process.pid), stderr=talk)
wait_until("it attaches", lambda: "wperf: attached\n" in open(talk_file).read())
for _ in range(5):
    process.stdin.write("go\n")
    process.stdin.flush()
    process.stdout.readline()
recorder.send_signal(signal.SIGINT)
equal("exit status", recorder.wait(PATIENCE), 0)
profile = report(folder + "/late.data", "--by", "thread")
late = [g["path"] for g in profile["groups"] if g["path"].startswith("late/") and g["samples"]]
check(len(late) > 20, "threads that came later: %s" % late)
step("threads that came later: samples of %d of 100" % len(late))
stop(process)

# Two programs that a command has started and that run on: their maps of code that they have made are taken along.
files = build("e2e_files.c", "-DSPIN=spin")
file, _ = record("--duration", "1", "--", "sh", "-c", "sleep 4 | { exec 3<&0; %s jit <&3 & %s jit <&3; wait; }" % (files, files))
maps = [m for m in glob.glob("/tmp/perf-*.map") if os.stat(m).st_uid == 65534]
for m in maps:
    os.unlink(m)
profile = report(file, "--by", "process")
named = [g["path"].split("/")[0] for g in profile["groups"] for f in g["functions"] if f["function"] == "jit_spin"]
equal("processes whose own code has a name", named, ["e2e_files"] * 2)
step("code that is made at run time, of what a command has started: %d samples" % samples_of(profile, "jit_spin"))

process = start_target(forks, "forever", ready="call")
_, talk = record("-p", str(process.pid), status=NOT_PERMITTED)
refused("a process of another user", talk, "cannot sample")
_, talk = record("-e", "cpu-clock:k", "--", forks, "calls", "3", status=NOT_PERMITTED)
refused("the kernel alone", talk, "cannot sample")
_, talk = record("--marker", "func:work", "--", forks, "calls", "3", status=NOT_PERMITTED)
refused("a marker", talk, "markers need")
for spec in ("socket", "http", "socket:80"):
    _, talk = record("--marker", spec, "--", forks, "calls", "3", status=NOT_PERMITTED)
    refused("--marker " + spec, talk, "markers need")
_, talk = record("--calls", "work", "--", forks, "calls", "3", status=NOT_PERMITTED)
refused("--calls", talk, "counting calls needs")
_, talk = record("--marker", "auto", "--", forks, "calls", "3")
has("--marker auto", talk, "no requests")
check(process.poll() is None, "the target has ended")
stop(process)
step("refused: another user's process, markers, counting")

process = start_target(*NOBODY, threads, "100", ready="ready", stdin=subprocess.PIPE)
_, talk = record("-p", str(process.pid), status=USAGE,
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90)))
refused("100 threads and 90 descriptors", talk, "cannot sample: Too many open files")
has("the remedy", talk, "ulimit -n")
for limit in (5, 9, 24, 40):
    for marker in ("auto", "none", "func:work"):
        talk = wperf("record", "-p", str(process.pid), "--marker", marker, "-o", path("few.data"), status=USAGE,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))).stderr
        equal("what is said with %d descriptors" % limit, re.sub(r"up to \d+", "up to N", talk),
              "wperf: cannot record: Too many open files (the limit is %d, and a recording takes up to N)\n"
              "Raise the limit (ulimit -n).\n" % limit)
stop(process)
step("descriptors: 90 for 100 threads, and too few for anything")

# What requests need, and no more: what another user's process has open may not be looked at. A connection that was there
# before, and one that comes.
if os.geteuid() == 0:
    server = start_target(os.path.join(BUILD, "examples/server"), ready=r"listening on 127\.0\.0\.1:(\d+)")
    old = http.client.HTTPConnection("127.0.0.1", int(server.ready[1]), timeout=PATIENCE)
    old.connect()
    caps = "-all,+perfmon,+bpf"
    recording = Recording("-p", server.pid, output=folder + "/few.data",
                          under=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", caps,
                                 "--ambient-caps", caps))
    for connection in old, http.client.HTTPConnection("127.0.0.1", int(server.ready[1]), timeout=PATIENCE):
        for _ in range(20):
            connection.request("GET", "/user/7")
            connection.getresponse().read()
        connection.close()
    wait_until_idle(server.pid)
    recording.stop()
    equal("requests of another user's server", requests_by_path(report(recording.file)).get("/user/{id}"), 40)
    stop(server)
    step("CAP_PERFMON and CAP_BPF alone: 40 requests of another user's server")
