#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where BPF is not to be had, by kernel, by privilege or by namespace: samples without requests, and one
line that says what is missing; a marker that was asked for by name is refused."""
import platform

from lib import *

forks = build("e2e_forks.c")

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ERRNO, RET_ALLOW = 0x00050000, 0x7fff0000
NR_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
ENOSYS = 38


def without_call():
    """A kernel without bpf(2), as a seccomp filter: load the number, compare, return (struct sock_filter)."""
    program = b"".join(struct.pack("<HBBI", *each) for each in (
        (0x20, 0, 0, 0), (0x15, 0, 1, NR_BPF), (0x06, 0, 0, RET_ERRNO | ENOSYS), (0x06, 0, 0, RET_ALLOW)))
    bytes_of = ctypes.create_string_buffer(program)
    filter_of = struct.pack("@HP", len(program) // 8, ctypes.addressof(bytes_of))
    libc = ctypes.CDLL(None, use_errno=True)
    assert not libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    assert not libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_of, 0, 0), ctypes.get_errno()


# All places where libbpf looks for it.
HIDE = ("for d in /sys/kernel/btf /boot /lib/modules /usr/lib/debug; do "
        "[ ! -d $d ] || mount -t tmpfs none $d || exit 99; done; exec \"$@\"")
WAYS = {
    "no BPF": ([], without_call, "the kernel has no BPF"),
    "no BTF": (["unshare", "-m", "sh", "-c", HIDE, "sh"], None, "the kernel has no BTF"),
    "no CAP_BPF": (["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"], None, "cap_bpf"),
    "pid namespace": (["unshare", "-p", "-f", "--mount-proc"], None, "pid namespace"),
}


def record(way, *args, status):
    prefix, preexec_fn, _ = WAYS[way]
    return run(*prefix, WPERF, "record", "-o", path("without.data"), *args, "--", forks, "calls", "40",
               status=status, preexec_fn=preexec_fn).stderr


def lines_with(talk, part):
    return [line for line in talk.splitlines() if part in line]


for way, (*_, missing) in WAYS.items():
    for args in ([], ["--marker", "auto"]):
        talk = record(way, *args, status=GOOD)
        said = lines_with(talk, "no requests")
        equal("%s: lines that say what is missing:\n%s" % (way, talk), len(said), 1)
        has(way, said[0], missing)
        profile = report(path("without.data"))
        check(samples_of(profile, "burn") > 10, "%s: hardly any samples" % way)
        equal(way + ": tables", [g["path"] for g in profile["groups"]], ["(all)"])
    talk = record(way, "--marker", "none", status=GOOD)
    equal("%s: lines that say what nobody wants:\n%s" % (way, talk), lines_with(talk, "no requests"), [])
    for spec in ("socket", "http", "func:burn"):
        talk = record(way, "--marker", spec, status=NOT_PERMITTED)
        errors = talk.splitlines()
        equal("%s: an error and its remedy:\n%s" % (way, talk), len(errors), 2)
        has(way, errors[0], missing)
        has(way, errors[1], "--marker none samples without")
    step(way + ": " + said[0])

# Of a server that runs, it matters what the kernel's BTF has: libbpf has a word about its absence, too.
process = start_target(forks, "forever", ready="call")
prefix, _, missing = WAYS["no BTF"]
talk = run(*prefix, WPERF, "record", "--duration", "0.3", "-o", path("without.data"), "-p", str(process.pid)).stderr
equal("lines that are not ours", [line for line in talk.splitlines() if not line.startswith("wperf: ")], [])
equal("lines that say what is missing:\n" + talk, len(lines_with(talk, missing)), 1)
stop(process)
step("no BTF, and a process that runs: one line")

# Numbers mean other processes there.
elsewhere = ("unshare", "-p", "-f")
for args in (["record", "-o", path("elsewhere.data"), "--marker", "none", "-p", "1"],
             ["record", "-o", path("elsewhere.data"), "--", "true"], ["live", "-p", "1"], ["probes", "-p", "1"]):
    talk = run(*elsewhere, WPERF, *args, status=NOT_PERMITTED).stderr
    equal("%s: an error and its remedy:\n%s" % (args, talk), len(talk.splitlines()), 2)
    has(args[0], talk, "/proc is not that of our pid namespace")
check(not os.path.exists(path("elsewhere.data")), "something was recorded")
step("another pid namespace's /proc: one line")
