#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recording can go through a pipe: to wperf, to perf, from perf, and to a reader that has enough."""
import fcntl
import termios

from lib import *

target = build("e2e_forks.c")
RECORD = '"$WPERF" record -q --marker func:work -o - -- "$TARGET" calls 100 3'
ENV = dict(os.environ, WPERF=WPERF, TARGET=target)


def shell(line):
    return run("bash", "-o", "pipefail", "-c", line, env=ENV)


def json_of(done):
    profile = json.loads(done.stdout)
    conserve(profile)
    return profile


piped = json_of(shell(RECORD + ' | "$WPERF" report -i - --format json'))
equal("requests through a pipe", requests_by_path(piped), {"work": 100})
equal("truncated", piped["recording"]["truncated"], False)
check(samples_of(piped, "burn") > 100, "burn() has %d samples" % samples_of(piped, "burn"))
check(cum_samples_of(piped, "main") >= samples_of(piped, "burn"), "main() is not below burn()")

shell(RECORD + " > " + path("stream.data"))
shell(RECORD.replace("-o -", "-o " + path("file.data")))
stream, file = report(path("stream.data")), report(path("file.data"))
for key in set(stream["recording"]) - {"input", "duration", "cmdline"}:
    equal("recording: " + key, stream["recording"][key], file["recording"][key])
for profile in (stream, file):
    equal("requests", requests_by_path(profile), {"work": 100})
    # 100 calls of 3 ms of CPU, 999 samples a second of CPU.
    check(150 < profile["tallies"]["samples"] < 450, "%d samples" % profile["tallies"]["samples"])
through_cat = json_of(shell("cat %s | \"$WPERF\" report -i - --format json" % path("stream.data")))
equal("the same stream, from a file and through a pipe", through_cat["groups"], stream["groups"])
step("a stream gives what a file gives")

done = run("bash", "-c", RECORD + ' | head -c 100 | wc -c; echo "${PIPESTATUS[0]}"', env=ENV)
equal("bytes taken", done.stdout.split()[0], "100")
equal("exit status of record", done.stdout.split()[1], "0")
equal("what record says to EPIPE", done.stderr, "")
read, write = os.pipe()
os.close(read)
for args in ("--", "sleep", "100"), ("-p", str(os.getpid())):
    done = wperf("record", "-o", "-", *args, stdout=write, status=None)
    equal("a reader that had gone before: exit status", done.returncode, 0)
    equal("what record says then", done.stderr, "")
os.close(write)
done = run("bash", "-c", '"$WPERF" report -i %s --format json | head -c 100 | wc -c' %
           path("file.data"), env=ENV)
equal("what report says to EPIPE", [line for line in done.stderr.splitlines() if "pipe" in line], [])
step("a reader that has enough")



def nr_readable(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]


def catches_sigint(pid):
    with open("/proc/%d/status" % pid) as status:
        caught = [line.split()[1] for line in status if line.startswith("SigCgt:")]
    return int(caught[0], 16) >> (signal.SIGINT - 1) & 1


def pipeline(name):
    """record | report, both attached and reading."""
    with open(path(name), "w") as talk:
        recorder = start(WPERF, "record", "-v", "-o", "-", "--marker", "func:work", "-p",
                         str(busy.pid), stdout=subprocess.PIPE, stderr=talk)
    reporter = start(WPERF, "report", "-i", "-", "--format", "json", stdin=recorder.stdout,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    recorder.stdout.close()
    wait_until("wperf record attaches", lambda: "attached" in open(path(name)).read())
    wait_until("wperf report outlasts Ctrl-C", lambda: catches_sigint(reporter.pid))
    return recorder, reporter


# Ctrl-C on a terminal is for all of the pipeline: the recorder ends, and the report is printed.
busy = start_target(target, "forever", ready="call")
recorder, reporter = pipeline("interrupted.err")
let_work(busy.pid, 0.1)
reporter.send_signal(signal.SIGINT)
recorder.send_signal(signal.SIGINT)
out, err = reporter.communicate(timeout=PATIENCE)
equal("exit status of report after Ctrl-C: %s" % err, reporter.returncode, 0)
profile = json.loads(out)
conserve(profile)
check(profile["tallies"]["samples"] > 0, "no samples after Ctrl-C")
equal("truncated after Ctrl-C", profile["recording"]["truncated"], False)
equal("exit status of record", recorder.wait(timeout=PATIENCE), 0)

recorder, reporter = pipeline("killed.err")
reporter.send_signal(signal.SIGINT)
wait_until("the first SIGINT has come", lambda: not catches_sigint(reporter.pid))
reporter.send_signal(signal.SIGINT)
equal("report after a second Ctrl-C", reporter.wait(timeout=PATIENCE), -signal.SIGINT)
equal("record, whose reader has gone", recorder.wait(timeout=PATIENCE), 0)
step("Ctrl-C ends the recorder, and the report is printed")

# Nobody reads, and the recorder is to end all the same.
for name in ("SIGINT", "SIGTERM"):
    reading, writing = os.pipe()
    with open(path(name), "w") as talk:
        recorder = start(WPERF, "record", "-v", "-F", "9999", "-o", "-", "-p", str(busy.pid),
                         stdout=writing, stderr=talk)
    wait_until("wperf record attaches", lambda: "attached" in open(path(name)).read())
    # FIONREAD: the pipe has 16 pages, and a write of a page and more finds no room long before that.
    wait_until("the pipe is full", lambda: nr_readable(reading) > 48 << 10)
    time.sleep(0.5)
    recorder.send_signal(getattr(signal, name))
    equal("exit status of record after " + name, recorder.wait(timeout=PATIENCE), USAGE)
    has("record after " + name, open(path(name)).read(),
        "wperf: cannot write stdout: its reader has stopped reading\n")
    os.close(reading)
    os.close(writing)
step("a reader that stalls does not keep the recorder from ending")

done = run("bash", "-c", '"$WPERF" record -q -o - -- sh -c "echo said; \\"$TARGET\\" calls 10 3" | '
           '"$WPERF" report -i - --format json', env=ENV)
conserve(json.loads(done.stdout))
has("a command that talks", done.stderr, "said")
step("the command's own output stays out of the stream")

if has_perf():
    script = shell(RECORD + " | perf script -i - -G -F comm,event,ip,sym").stdout.splitlines()
    of_burn = sum("burn" in line for line in script)
    check(of_burn > 100, "perf script -i -: %d samples in burn()" % of_burn)
    equal("marks that perf script sees", sum("wperf:mark" in line for line in script), 200)
    profile = json_of(shell('perf record -q -g -o - -- "$TARGET" calls 100 3 | '
                            '"$WPERF" report -i - --format json'))
    check(samples_of(profile, "burn") > 100, "perf record -o -: %d samples in burn()" %
          samples_of(profile, "burn"))
    step("perf reads ours, we read perf's")
