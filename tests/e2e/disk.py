#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No room for the recording: record says so and stops, and what was written can be read."""
import resource

from lib import *

target = build("e2e_forks.c")
process = start_target(target, "forever", ready="call")
PID = str(process.pid)
# Many samples, so that a limit is met soon.
LIMIT = 900 << 10
EAGER = ("-F", "5000", "--marker", "func:work", "-p", PID)


def check_readable(what, file):
    profile = report(file)
    equal(what + ": truncated", profile["recording"]["truncated"], True)
    has(what, profile["talk"], "the recording is truncated")
    check(profile["tallies"]["samples"] > 0, what + ": no sample is left")
    check(samples_of(profile, "burn") > 0, what + ": no function is named")
    if has_perf():
        done = run("perf", "script", "-i", file, "-G", "-F", "event,ip,sym", status=None)
        nr = sum("cpu-clock" in line or "cycles" in line for line in done.stdout.splitlines())
        check(nr > 0, "%s: perf script reads nothing:\n%s" % (what, done.stderr))
    step("%s: %d samples can be read" % (what, profile["tallies"]["samples"]))


def check_refused(what, done, part):
    equal(what + ": exit status", done.returncode, USAGE)
    errors = [line for line in done.stderr.splitlines() if part in line]
    equal("%s: lines that say so:\n%s" % (what, done.stderr), len(errors), 1)
    check(errors[0].startswith("wperf: "), what + ": " + errors[0])


def limit_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


file = path("limited.data")
done = wperf("record", "-o", file, *EAGER, status=None, preexec_fn=limit_size)
check_refused("a limit of file sizes", done, "File too large")
has("the summary", done.stderr, ", not all of them)")
check_readable("a limit of file sizes", file)

if os.geteuid() == 0:
    os.mkdir(path("small"))
    # The file lies in a file system of the namespace: it is copied out before that goes.
    script = ("mount -t tmpfs -o size=$LIMIT none $1/small && shift && \"$@\" -o $DIR/small/full.data; "
              "status=$?; cp $DIR/small/full.data $DIR/full.data; exit $status")
    done = run("unshare", "-m", "sh", "-c", script, "sh", scratch, WPERF, "record", *EAGER,
               status=None, env=dict(os.environ, DIR=scratch, LIMIT=str(LIMIT)))
    check_refused("a full disk", done, "No space left on device")
    check_readable("a full disk", path("full.data"))

for what, away, status in (("removed", os.unlink, 2), ("moved away", lambda file: os.rename(file, path("elsewhere.data")), 0)):
    recording = Recording(*EAGER)
    away(recording.file)
    recording.stop(status=status)
    said = [line for line in recording.talk.splitlines() if " while it was written" in line]
    equal("lines that say so:\n" + recording.talk, len(said), 1)
    has("a file that was " + what, said[0], "%s was %s while" % (recording.file, what))
report(path("elsewhere.data"))
step("a recording that is not where it should be")

done = wperf("record", "-o", "/dev/full", *EAGER, status=None)
check_refused("/dev/full", done, "No space left on device")
check(os.path.exists("/dev/full") and not os.path.exists("/dev/full.old"), "/dev/full was moved away")

done = wperf("record", "-o", path("no/such/folder/x.data"), *EAGER, status=None)
check_refused("a folder that is not there", done, "No such file or directory")
os.mkdir(path("a-folder"))
done = wperf("record", "-o", path("a-folder"), *EAGER, status=None)
check(done.returncode == USAGE, "-o FOLDER: exit status %d: %s" % (done.returncode, done.stderr))
check(os.path.isdir(path("a-folder")), "-o FOLDER: the folder was moved away")

os.mkdir(path("read-only"))
os.chmod(path("read-only"), 0o555)
as_nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
             "--bounding-set=-all") if os.geteuid() == 0 else ()
done = run(*as_nobody, WPERF, "record", "-o", path("read-only/x.data"), "--", "true", status=None)
equal("a folder that may not be written to: exit status", done.returncode, NOT_PERMITTED)
has("a folder that may not be written to", done.stderr, "Permission denied")
step("/dev/full, no folder, a folder, no permission")

check(process.poll() is None, "the target has ended")
stop(process)
