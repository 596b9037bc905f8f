#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions have names although their file is deleted, replaced, in another mount namespace, or was never
a file; and a file that is not the one that ran is never asked."""
from lib import *

old = build("e2e_files.c", "-DSPIN=spin_old", "-rdynamic", output="old")
new = build("e2e_files.c", "-DSPIN=spin_new", "-rdynamic", output="new")
static = build("e2e_files.c", "-DSPIN=spin_static", "-static", output="static")
library = build("e2e_files.c", "-DSPIN=spin_new", "-shared", "-fPIC", output="library.so")


def copy(file, name):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    shutil.copy(file, path(name))
    return path(name)


def start_loop(*argv):
    return start_target(*argv, ready="ready", stdin=subprocess.PIPE)


def record(process, ends_first=False):
    """Half a second of it. Whoever ends first, target or recording, both are gone at the end."""
    recording = Recording("-p", process.pid)
    time.sleep(0.5)
    if ends_first:
        process.communicate("end\n", timeout=PATIENCE)
        recording.wait()
    else:
        recording.stop()
        process.communicate("end\n", timeout=PATIENCE)
    return recording.file


def check_named(what, file, name, never=None):
    profile = report(file)
    total, named = profile["tallies"]["samples"], samples_of(profile, name)
    check(named > 0.5 * total > 10, "%s: %d of %d samples in %s: %s" % (
        what, named, total, name, [(f["function"], f["samples"]) for f in
                                   profile["groups"][0]["functions"][:8]]))
    if never:
        equal("%s: samples in %s" % (what, never), samples_of(profile, never), 0)
    step("%s: %d of %d samples in %s" % (what, named, total, name))


program = copy(old, "deleted")
process = start_loop(program, "loop")
os.unlink(program)
check_named("a deleted program", record(process), "spin_old")

program = copy(old, "replaced")
process = start_loop(program, "loop")
os.rename(copy(new, "replacement"), program)
check_named("a replaced program", record(process, ends_first=True), "spin_old", "spin_new")

program = copy(old, "replaced-later")
process = start_loop(program, "loop")
file = record(process)
os.rename(copy(new, "replacement"), program)
profile = report(file)
for name in ("spin_old", "spin_new"):
    equal("replaced after the recording, samples in " + name, samples_of(profile, name), 0)
hexes = [f for f in profile["groups"][0]["functions"]
         if f["module"] == program and re.fullmatch("0x[0-9a-f]+", f["function"])]
check(sum(f["samples"] for f in hexes) > 10, "replaced after the recording: no frames in hex")
equal("replaced after the recording, warnings:\n" + profile["talk"],
      sum("replaced-later" in line for line in profile["talk"].splitlines()), 1)
step("a program replaced after the recording: hex and one warning")

process = start_loop(new, "plugin", copy(library, "plugin.so"))
check(not os.path.exists(path("plugin.so")), "the library is still there")
check_named("a deleted library", record(process), "spin_new")

if os.geteuid() == 0:
    os.mkdir(path("box"))
    copy(new, "box/program")  # what stands at the same path outside
    process = start_loop("unshare", "-m", "sh", "-c", "mount -t tmpfs none $1/box && "
                         "cp $1/old $1/box/program && exec $1/box/program loop", "sh", scratch)
    check_named("another mount namespace", record(process, True), "spin_old", "spin_new")
    process = start_loop("unshare", "-m", "sh", "-c", "mount -t tmpfs none $1/box && mkdir $1/box/x && "
                         "cp $1/static $1/box/x/run && exec chroot $1/box /x/run loop", "sh", scratch)
    check_named("a chroot", record(process), "spin_static")

for ends_first in (False, True):
    process = start_loop(new, "jit")
    file = record(process, ends_first)
    os.unlink("/tmp/perf-%d.map" % process.pid)
    check_named("JIT code, the %s ends first" % ("target" if ends_first else "recording"), file,
                "jit_spin")

profile = report(record(start_loop(new, "clock")))
in_vdso = sum(f["samples"] for f in profile["groups"][0]["functions"]
              if f["module"] == "[vdso]" and "clock_gettime" in f["function"])
check(in_vdso > 10, "vdso: %d samples of %d have a name there" % (in_vdso, profile["tallies"]["samples"]))
step("vdso: %d samples" % in_vdso)
