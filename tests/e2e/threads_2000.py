#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A process of 2,000 threads: descriptors grow with the CPUs only, and every thread is seen."""
from lib import *

NR_THREADS = 2000

process = start_target(build("e2e_threads.c"), str(NR_THREADS), ready="ready",
                       stdin=subprocess.PIPE)
recording = Recording("-p", process.pid, "-F", "4000")
nr_fds = len(os.listdir("/proc/%d/fd" % recording.process.pid))
check(nr_fds < 40 + 12 * NR_CPUS, "%d descriptors" % nr_fds)
time.sleep(2)
recording.stop()
with open("/proc/%d/status" % process.pid) as f:
    has("the target's threads", f.read(), "Threads:\t%d\n" % (NR_THREADS + 1))
profile = report(recording.file, "--by", "thread")
names = [g["path"] for g in profile["groups"] if g["samples"]]
check(len(names) > NR_THREADS / 4, "samples of %d threads only" % len(names))
check(all(re.fullmatch(r"(t\d+|e2e_threads)/\d+", name) for name in names), "names: %s" % names[:9])
equal("names that come twice", len(set(names)), len(names))
check(samples_of(profile, "burn") > profile["tallies"]["samples"] / 4, "burn() is not in there")
step("%d descriptors, %d samples of %d threads" %
     (nr_fds, profile["tallies"]["samples"], len(names)))

recording = Recording("-p", process.pid, "-F", "4000", "--marker", "func:run_once")
process.stdin.write("go\n")
process.stdin.flush()
equal("the target's answer", process.stdout.readline(), "done\n")
recording.stop()
profile = report(recording.file)
equal("requests, one a thread", requests_by_path(profile), {"run_once": NR_THREADS})
step("%d threads that began and ended meanwhile" % NR_THREADS)
stop(process)
