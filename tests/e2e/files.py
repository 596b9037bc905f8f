#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions have names although their file is deleted or replaced, before the recording or during it, in another
mount namespace, or was never a file; and a file that is not the one that ran is never asked."""
from lib import *

# No frame pointers: callers are found by unwind info, which has to come from the file that ran.
old = build("e2e_files.c", "-DSPIN=spin_old", "-rdynamic", "-O2", "-fomit-frame-pointer", output="old")
new = build("e2e_files.c", "-DSPIN=spin_new", "-rdynamic", "-O2", "-fomit-frame-pointer", output="new")
static = build("e2e_files.c", "-DSPIN=spin_static", "-static", output="static")
library = build("e2e_files.c", "-DSPIN=spin_new", "-shared", "-fPIC", output="library.so")


def copy(file, name):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    shutil.copy(file, path(name))
    return path(name)


def start_loop(*argv):
    return start_target(*argv, ready="ready", stdin=subprocess.PIPE)


def record(process, ends_first=False, *args):
    """Half a second of it. Whoever ends first, target or recording, both are gone at the end."""
    recording = Recording("-p", process.pid, *args)
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
    # The code made at run time here keeps no frame pointer, and nothing else tells of its callers.
    if name != "jit_spin":
        check(profile["stacks"]["whole"] > 0.98, "%s: stacks: %s" % (what, profile["stacks"]))
    step("%s: %d of %d samples in %s, %.1f %% of the stacks whole" %
         (what, named, total, name, 100 * profile["stacks"]["whole"]))


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

os.unlink(program)
has("a program that is gone", report(file)["talk"], program + ": no such file: its functions stay addresses\n")

unmarked = build("e2e_files.c", "-DSPIN=spin_old", "-Wl,--build-id=none", output="unmarked")
unmarked_new = build("e2e_files.c", "-DSPIN=spin_new", "-Wl,--build-id=none", output="unmarked_new")
program = copy(unmarked, "unmarked-replaced")
process = start_loop(program, "loop")
file = record(process)


def as_older_recording(file, program):
    """Without a checksum in the program's MMAP2 records, before their protection and flags."""
    with open(file, "rb") as f:
        data, nr = re.subn(b"(?s).{7}[\x80-\xff](.{8}%s\0)" % re.escape(program.encode()),
                           lambda found: bytes(8) + found.group(1), f.read())
    check(nr > 0, "there is no checksum")
    with open(path("older.data"), "wb") as f:
        f.write(data)
    return path("older.data")


older = as_older_recording(file, program)
has_changed = "has been changed or replaced since the recording began"
check(has_changed not in report(older)["talk"], "a program without a build-id is said to have changed")
os.rename(copy(unmarked, "replacement"), program)
check_named("a program without a build-id, replaced by its like", file, "spin_old")
os.rename(copy(unmarked_new, "replacement"), program)
profile = report(file)
has("a program without a build-id, replaced", profile["talk"], program + " is not the file that ran: checksum ")
equal("a program without a build-id, replaced: samples in spin_new", samples_of(profile, "spin_new"), 0)
# By rename(2), whose file keeps the time of the last change of its bytes.
has("an older recording of it", report(older)["talk"], program + " " + has_changed)
step("a program that is gone, and one without a build-id: said")



def is_held(pid, file):
    """The recorder has seen the file."""
    links = []
    for fd in glob.glob("/proc/%d/fd/*" % pid):
        try:
            links.append(os.readlink(fd))
        except OSError:
            pass
    return file in links


def replace(file):
    os.rename(copy(new, "replacement"), file)


for what, change in (("deleted", os.unlink), ("moved", lambda file: os.rename(file, file + ".old")),
                     ("replaced", replace)):
    for ends_first in (False, True):
        program = copy(old, "%s-meanwhile-%d" % (what, ends_first))
        process = start_loop(program, "loop")
        recording = Recording("-p", process.pid)
        wait_until("it is seen", lambda: is_held(recording.process.pid, program))
        change(program)
        let_work(process.pid, 0.3)
        if ends_first:
            process.communicate("end\n", timeout=PATIENCE)
            recording.wait()
        else:
            recording.stop()
            process.communicate("end\n", timeout=PATIENCE)
        check_named("a program %s during the recording, the %s ends first" %
                    (what, "target" if ends_first else "recording"), recording.file, "spin_old", "spin_new")

program = path("made")
process = start_target(WPERF, "record", "-q", "-o", path("made.data"), "--", "sh", "-c", "cp $1 $2; $2 loop; rm $2",
                       "sh", old, program, ready="ready", stdin=subprocess.PIPE)
wait_until("it is seen", lambda: is_held(process.pid, program))
made, = [pid for pid in tree(process.pid) if os.readlink("/proc/%d/exe" % pid) == program]
let_work(made, 0.3)
process.communicate("end\n", timeout=PATIENCE)
check(not os.path.exists(program), "the program is still there")
check_named("a program that a script makes and removes", path("made.data"), "spin_old")
equal("files that could not be read", report(path("made.data"))["tallies"]["files_unreachable"], 0)

program = copy(old, "streamed")
process = start_loop(program, "loop")
with open(path("stream"), "wb") as stream:
    recording = Recording("-p", process.pid, output="-", stdout=stream)
wait_until("it is seen", lambda: is_held(recording.process.pid, program))
os.unlink(program)


def stream_has_copy():
    with open(path("stream"), "rb") as f:
        return b"\0spin_old\0" in f.read()


wait_until("the copy is in the stream", stream_has_copy)
recording.stop()
process.communicate("end\n", timeout=PATIENCE)
step("a program deleted while a stream is recorded: its copy does not wait for the end")

process = start_target("sh", stdin=subprocess.PIPE)
recording = Recording("-p", process.pid)
recording.process.send_signal(signal.SIGSTOP)
process.stdin.write("cp %s %s; %s loop </dev/null; rm %s; echo gone\n" % ((old,) + 3 * (path("short"),)))
process.stdin.flush()
for line in process.stdout:
    if line == "gone\n":
        break
recording.process.send_signal(signal.SIGCONT)
recording.stop()
process.communicate("exit\n", timeout=PATIENCE)
profile = report(recording.file)
equal("a program that was gone before it was seen: files that could not be read",
      profile["tallies"]["files_unreachable"], 1)
has("a program that was gone before it was seen", profile["talk"],
    "1 file with code could not be read while recording")
step("a program that was gone before it was seen: counted, and said")

process = start_loop(new, "plugin", copy(library, "plugin.so"))
check(not os.path.exists(path("plugin.so")), "the library is still there")
check_named("a deleted library", record(process), "spin_new")

if os.geteuid() == 0:
    os.mkdir(path("box"))
    copy(new, "box/program")  # what stands at the same path outside
    process = start_loop("unshare", "-m", "sh", "-c", "mount -t tmpfs none $1/box && "
                         "cp $1/old $1/box/program && exec $1/box/program loop", "sh", scratch)
    file = record(process, True, "--marker", "func:spin_old")
    check_named("another mount namespace", file, "spin_old", "spin_new")
    check(requests_by_path(report(file)).get("spin_old", 0) > 10, "a marker there: no requests")

    boxed = {name: start_loop("unshare", "-m", "sh", "-c", "mount -t tmpfs none $1/box && cp $1/$2 $1/box/program && "
                              "exec $1/box/program loop", "sh", scratch, program)
             for name, program in (("spin_old", "unmarked"), ("spin_new", "unmarked_new"))}
    recording = Recording("-p", ",".join(str(process.pid) for process in boxed.values()), "--calls", "spin_*")
    for process in boxed.values():
        let_work(process.pid, 0.3)
    recording.stop()
    for process in boxed.values():
        process.communicate("end\n", timeout=PATIENCE)
    profile = report(recording.file, "--by", "process")
    for name, process in boxed.items():
        group, = [g for g in profile["groups"] if g["path"].endswith("/%d" % process.pid)]
        rows = {f["function"]: f for f in group["functions"] if f["function"].startswith("spin_")}
        equal("two programs without build-ids at one path: functions of " + name, list(rows), [name])
        check(rows[name]["samples"] > 10 and rows[name]["ncalls"] > 0, "%s: %s" % (name, rows))
    step("two programs without build-ids at one path in two mount namespaces: each has its own functions")

    process = start_loop("unshare", "-m", "sh", "-c", "mount -t tmpfs none $1/box && mkdir $1/box/x && "
                         "cp $1/static $1/box/x/run && exec chroot $1/box /x/run loop", "sh", scratch)
    check_named("a chroot", record(process), "spin_static")

for kind in ("jit", "memfd"):
    for ends_first in (False, True):
        process = start_loop(new, kind)
        file = record(process, ends_first)
        os.unlink("/tmp/perf-%d.map" % process.pid)
        check_named("%s code, the %s ends first" % (kind, "target" if ends_first else "recording"), file,
                    "jit_spin")


def start_boxed_jit():
    """In a /tmp of its own, so that its map is not ours; ours has one of that name with other names."""
    os.makedirs(path("tmp"), exist_ok=True)
    process = start_loop("unshare", "-m", "sh", "-c", "cp $1/new $1/tmp/program && "
                         "mount --bind $1/tmp /tmp && exec /tmp/program jit", "sh", scratch)
    process.map = path("tmp/perf-%d.map" % process.pid)
    with open(process.map) as own, open("/tmp/perf-%d.map" % process.pid, "w") as other:
        other.write(own.read().replace("jit_spin", "stranger"))
    return process


def start_caged(name):
    """In a root of its own, as another user, who has put a link into it to what only root reads."""
    box = path("cage")
    os.makedirs(box + "/tmp", exist_ok=True)
    copy(static, "cage/run")
    process = start_loop("chroot", "--userspec=65534:65534", box, "/run", "loop")
    with open(path("secret"), "w") as f:
        f.write("a secret of root's\n")
    os.chmod(path("secret"), 0o600)
    if name == "map":
        os.symlink(path("secret"), "%s/tmp/perf-%d.map" % (box, process.pid))
    else:  # the directory: /secrets of ours has a map of that name
        shutil.rmtree(box + "/tmp")
        os.mkdir(path("secrets"))
        os.rename(path("secret"), path("secrets/perf-%d.map" % process.pid))
        os.symlink(path("secrets"), box + "/tmp")
    return process


if os.geteuid() == 0:
    for ends_first in (False, True):
        process = start_boxed_jit()
        file = record(process, ends_first)
        os.unlink("/tmp/perf-%d.map" % process.pid)
        check_named("JIT code with a /tmp of its own, the %s ends first" %
                    ("target" if ends_first else "recording"), file, "jit_spin", "stranger")
    process = start_boxed_jit()
    os.unlink(process.map)
    file = record(process, True)
    os.unlink("/tmp/perf-%d.map" % process.pid)
    equal("samples in somebody else's map", samples_of(report(file), "stranger"), 0)
    step("JIT code without a map: that of another process in our /tmp is left")
    for name in ("map", "directory"):
        with open(record(start_caged(name)), "rb") as f:
            check(b"a secret of root's" not in f.read(), "a link (%s) got a file of root's copied" % name)
    step("links in a target's root lead to no file outside of it")

process = start_loop(new, "jit")
os.truncate("/tmp/perf-%d.map" % process.pid, (64 << 20) + 1)
recording = Recording("-p", process.pid)
has("a map that is too large", recording.stop().talk, "process %d: its map of JIT code" % process.pid)
process.communicate("end\n", timeout=PATIENCE)
os.unlink("/tmp/perf-%d.map" % process.pid)
step("a map of JIT code that is too large, and said to be")

profile = report(record(start_loop(new, "clock")))
in_vdso = sum(f["samples"] for f in profile["groups"][0]["functions"]
              if f["module"] == "[vdso]" and "clock_gettime" in f["function"])
check(in_vdso > 10, "vdso: %d samples of %d have a name there" % (in_vdso, profile["tallies"]["samples"]))
step("vdso: %d samples" % in_vdso)
