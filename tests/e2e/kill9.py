#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL of wperf record: the target goes on with its own text and no breakpoint in it, and what had
been written can be read."""
from lib import *

target = build("e2e_forks.c")


def text_of(pid, name):
    """The first bytes of a function in the process, and in its file."""
    elf = Elf(target)
    vaddr, offset, size = elf.function(name)
    with open("/proc/%d/maps" % pid) as f:
        maps = [line.split() for line in f]
    base = next(int(m[0].split("-")[0], 16) for m in maps if m[-1] == target and m[2] == "00000000")
    with open("/proc/%d/mem" % pid, "rb") as f:
        f.seek(base + vaddr)
        return f.read(size), elf.bytes[offset:offset + size]


process = start_target(target, "forever", ready="call")
recording = Recording("-p", process.pid, "--marker", "func:work")
in_memory, in_file = text_of(process.pid, "work")
check(in_memory != in_file, "the probe cannot be seen in the target's text: this test tests nothing")
wait_until("something is written", lambda: os.path.getsize(recording.file) > 20000)
recording.stop(signal.SIGKILL, status=128 + signal.SIGKILL)


def is_clean():
    got, want = text_of(process.pid, "work")
    return got == want


# The kernel takes the probes away some time after the process is gone.
wait_until("the breakpoints are gone", is_clean)
seen = int(re.search(r"call (\d+)", process.stdout.readline())[1])
while int(re.search(r"call (\d+)", process.stdout.readline())[1]) < seen + 200:
    pass
check(process.poll() is None, "the target has ended")
step("the target goes on, its text is its own")

profile = report(recording.file)
equal("truncated", profile["recording"]["truncated"], True)
has("what report says", profile["talk"], "truncated")
check(profile["tallies"]["samples"] > 0, "no sample is left")
check(samples_of(profile, "burn") > 0, "no function is named")
check(sum(g["requests"] for g in profile["groups"]) > 0, "no request is left")
step("%d samples of the killed recording" % profile["tallies"]["samples"])

# A stream that ends between two records.
read, write = os.pipe()
recorder = start(WPERF, "record", "-v", "--marker", "func:work", "-o", "-", "-p", str(process.pid), stdout=write,
                 stderr=open(path("stream.err"), "w"))
os.close(write)
reporter = start(WPERF, "report", "-i", "-", "--format", "json", stdin=read, stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE, text=True)
os.close(read)
wait_until("it attaches", lambda: "wperf: attached\n" in open(path("stream.err")).read())
let_work(process.pid, 0.3)
recorder.send_signal(signal.SIGKILL)
out, talk = reporter.communicate(timeout=PATIENCE)
equal("a stream: truncated", json.loads(out)["recording"]["truncated"], True)
has("what report says of a stream", talk, "the recording is truncated")
step("the stream of a killed recorder is truncated")

again = Recording("-p", process.pid, "--marker", "func:work")
let_work(process.pid, 0.1)
again.stop()
check(sum(g["requests"] for g in report(again.file)["groups"]) > 0, "no requests the second time")
step("and it can be recorded again")
stop(process)
