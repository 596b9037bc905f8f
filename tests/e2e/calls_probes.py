#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The probes behind counted calls: which functions get one, what they take, where they come and go, and that
programs are as they were before when they are gone."""
from calls_lib import *


def check_library():
    """A library that is unmapped with probes in it, and mapped again."""
    plugin = path("plugin.so")
    run("gcc", "-O1", "-g", "-shared", "-fPIC", "-o", plugin, os.path.join(ROOT, "tests/targets/e2e_plugin.c"))
    process = start_target(target, "dlclose", "300", plugin, ready="ready", stdin=subprocess.PIPE)
    # Before the first dlopen nothing has such a name: a glob may match later.
    recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100", "--calls", "lea[f]", "--calls", "[iol]*")
    want, others = go(process)
    equal("what the library said", others, ["plugged %d" % sum(range(1, 301))])
    time.sleep(1.2)
    again, others = go(process)
    equal("what the library said", others, ["plugged %d" % sum(range(1, 301))])
    recording.stop()
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    names = ("leaf", "inside")
    got, inexact = counted(report(recording.file), names)
    equal("calls of leaf", got["leaf"][0], again["leaf"][0])
    # It was found after the first of its calls: that is said, and no call is made up.
    check(300 <= got["inside"][0] <= 600, "calls of a library that came later: %r" % (got["inside"],))
    equal("inexact rows", inexact, {"inside"})
    step("dlclose: %d of 600 calls of what came later" % got["inside"][0])


class Memory:
    """The code of a function as a process has it."""

    def __init__(self, pid, file, name):
        self.pid, self.real = pid, os.path.realpath(file)
        _, self.offset, self.size = Elf(self.real).function(name)
        with open(self.real, "rb") as f:
            f.seek(self.offset)
            self.want = f.read(self.size)

    def read(self):
        with open("/proc/%d/maps" % self.pid) as maps:
            for line in maps:
                field = line.split()
                begin, end = (int(x, 16) for x in field[0].split("-"))
                offset = int(field[2], 16)
                if field[-1] == self.real and "x" in field[1] and \
                        offset <= self.offset < offset + end - begin:
                    with open("/proc/%d/mem" % self.pid, "rb") as memory:
                        memory.seek(begin + self.offset - offset)
                        return memory.read(self.size)
        fail("%s is not mapped by %d" % (self.real, self.pid))

    def nr_breakpoints(self):
        return sum(a != b and a == 0xcc for a, b in zip(self.read(), self.want))


def libc_of(pid):
    with open("/proc/%d/maps" % pid) as maps:
        return next(line.split()[-1] for line in maps if "/libc.so" in line)


def check_others():
    """Who else has the same libc mapped has not one byte of it changed; and in the end nobody has."""
    mine = start_target(target, "malloc", "20000", ready="ready", stdin=subprocess.PIPE)
    other = start_target(target, "malloc", "20000", ready="ready", stdin=subprocess.PIPE)
    libc = libc_of(mine.pid)
    counted_code, other_code = Memory(mine.pid, libc, "malloc"), Memory(other.pid, libc, "malloc")
    for with_signal in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        recording = Recording("-p", mine.pid, "--marker", "none", "--max-overhead", "100", "--calls", "malloc@libc.so*", "--calls", "fre[e]@libc.so*")
        go(mine)
        go(other)
        equal("breakpoints in the target", counted_code.nr_breakpoints(), 1)
        equal("the other's code", other_code.read(), other_code.want)
        recording.process.send_signal(with_signal)
        recording.process.wait(PATIENCE)
        wait_until("the target's code is whole", lambda: counted_code.read() == counted_code.want)
        equal("the other's code", other_code.read(), other_code.want)
        go(mine)
        if with_signal != signal.SIGKILL:
            got, inexact = counted(report(recording.file), ("malloc", "free"))
            equal("calls of malloc and free", (got, inexact),
                  ({"malloc": (20000, 20000), "free": (20000, 20000)}, set()))
        step("libc is the target's alone, and whole after " + with_signal.name)


def check_killed_midway():
    """Who is killed while its probes go in or out is no reason for them to stay."""
    libc = os.path.realpath(libc_of(os.getpid()))
    vaddr, offset, size = max((at for at in Elf(libc).sections if at[2] & 4), key=lambda at: at[5])[3:6]
    with open(libc, "rb") as f:
        want = os.pread(f.fileno(), size, offset)

    process = start_target(target, "malloc", "100", ready="ready", stdin=subprocess.PIPE)
    with open("/proc/%d/maps" % process.pid) as maps:
        base = next(int(line.split("-")[0], 16) for line in maps if "/libc.so" in line)
    with open("/proc/%d/mem" % process.pid, "rb", 0) as memory:
        for _ in range(4):
            recording = Recording("-p", process.pid, "--marker", "none", "--calls", "[a-z]*@libc.so*")
            during = os.pread(memory.fileno(), size, base + vaddr)
            check(during != want, "no probes are in libc")
            recording.process.send_signal(signal.SIGINT)
            wait_until("probes go out", lambda: os.pread(memory.fileno(), size, base + vaddr) != during)
            recording.process.kill()
            recording.process.wait(PATIENCE)
            wait_until("the target's code is whole", lambda: os.pread(memory.fileno(), size, base + vaddr) == want)
    go(process)
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    step("SIGKILL while probes go out")


ENDS = """
#include <pthread.h>
#include <stdio.h>
__attribute__((noinline)) void taken(void) { __asm__ volatile(""); }
__attribute__((noinline)) void kept(void) { __asm__ volatile(""); }
static void *nothing(void *unused) { return unused; }
static void *take(void *unused) { taken(); return unused; }
static void begin(void *(*what)(void *))
{
	pthread_t thread;
	for (int i = 0; i < 200; i++)
		if (!pthread_create(&thread, NULL, what, NULL))
			pthread_join(thread, NULL);
}
int main(void)
{
	char line[16];
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		begin(nothing);
		begin(take);
		for (int i = 0; i < 3; i++)
			kept();
		puts("done");
		fflush(stdout);
	}
}
"""


def check_loss():
    """A recorder that does not run, and a ring that is full soon: late, not wrong."""
    process = start_target(target, "recursion", "4000", ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--marker", "func:outer", "-m", "8", "-F", "4000", "--max-overhead", "100",
                          "--calls", "outer", "--calls", "middle", "--calls", "leaf")
    recording.process.send_signal(signal.SIGSTOP)
    want, _ = go(process)
    recording.process.send_signal(signal.SIGCONT)
    recording.stop()
    profile = report(recording.file)
    got, inexact = counted(profile)
    equal("calls with a full ring", got, want)
    check(profile["tallies"]["calls_late"] > 0, "nothing came late")
    check("leaf" in inexact, "late rows are not marked: %r" % inexact)
    table = wperf("report", "-i", recording.file, "--restrict", "leaf").stdout
    check(re.search(r"^ *~\d+.*\(leaf\)$", table, re.M), "no ~ in:\n" + table)
    step("a full ring: %d calls, %d times late" % (want["leaf"][0], profile["tallies"]["calls_late"]))


def check_ends():
    """What threads took along when they ended with a full ring is in no row: the table's total says so."""
    with open(path("ends.c"), "w") as f:
        f.write(ENDS)
    run("gcc", "-O1", "-o", path("ends"), path("ends.c"), "-lpthread")
    process = start_target(path("ends"), ready="ready", stdin=subprocess.PIPE)
    # On one CPU: those that call nothing fill its ring.
    os.sched_setaffinity(process.pid, [min(os.sched_getaffinity(0))])
    recording = Recording("-p", process.pid, "--marker", "none", "-m", 1, "--calls", "taken", "--calls", "kept")
    recording.process.send_signal(signal.SIGSTOP)
    process.stdin.write("go\n")
    process.stdin.flush()
    equal("the target", process.stdout.readline(), "done\n")
    recording.process.send_signal(signal.SIGCONT)
    recording.stop()
    table, = report(recording.file)["groups"]
    rows = [(f["function"], f["ncalls"], f["exact"]) for f in table["functions"] if f["ncalls"]]
    equal("rows with calls", rows, [("kept", 3, True)])
    equal("whether the total is exact", table["exact"], False)
    has("the table", wperf("report", "-i", recording.file).stdout, " ~3 function calls in ")
    step("threads that end with a full ring")


def names_counted(binary, *patterns, status=0):
    done = wperf("record", "-v", "-o", path("names.data"), "--marker", "none", *(
        word for pattern in patterns for word in ("--calls", pattern)), "--", binary, status=status)
    return set(re.findall(r"counts (\S+) in", done.stderr)), done.stderr


def check_names():
    """Names of C++, static functions, globs, modules; what was inlined has no calls, and is named."""
    binary = build("e2e_counted.cc", "-O2", "-std=c++17")
    area = {"_ZNK6shapes6square4areaEi", "_ZNK6shapes5strip4areaEi"}
    for pattern, want in (("shapes::*::area", area), ("shapes::strip::area", {"_ZNK6shapes5strip4areaEi"}),
                          ("shapes::strip::area(int) const", {"_ZNK6shapes5strip4areaEi"}),
                          ("_ZNK6shapes*area*", area), ("is_*@e2e_counted", {"_ZL6is_oddi", "_ZL7is_eveni"}),
                          ("fib@" + binary, {"_ZL3fibi"}), ("fib@nothing", set())):
        equal("functions of " + pattern, names_counted(binary, pattern)[0], want)
    _, talk = names_counted(binary, "inlined_*")
    has("what was inlined", talk, "calls of inlined_everywhere in %s cannot be counted: it was inlined" % binary)
    # Nothing outside of what was asked for is named, and no template's instance that has a body.
    _, talk = names_counted(binary, "shapes::*")
    inlined = re.findall("calls of (.*) in .* cannot be counted: it was inlined", talk)
    equal("what was inlined, and is not meant or has a body",
          [name for name in inlined if not name.startswith("shapes::") or name.startswith("shapes::sum<")], [])
    # Nor is what a program built with LTO merely calls; what it inlines is.
    with open(path("lto.c"), "w") as f:
        f.write("#include <stdlib.h>\nstatic int twice(int n) { return n + n; }\n"
                "int main(int argc, char **argv) { return twice(argc) + rand_r(&(unsigned){ 1 }) == 0; }\n")
    run("gcc", "-O2", "-g", "-flto", "-fno-fat-lto-objects", "-o", path("lto"), path("lto.c"))
    _, talk = names_counted(path("lto"), "twic*", "rand_*")
    equal("what LTO inlined", re.findall("calls of (.*) in %s cannot be counted: it was inlined" % path("lto"), talk), ["twice"])
    # Lambdas have other names in symbols than in debug information. What has a piece of its own left is inlined all the same.
    with open(path("lambdas.cc"), "w") as f:
        f.write("volatile int sink;\ntemplate <typename F> void invokes(F f) { f(); }\n"
                "int main() { invokes([] { sink = 1; }); invokes([] { sink = 2; }); }\n")
    run("g++", "-O0", "-g", "-o", path("lambdas"), path("lambdas.cc"))
    found, talk = names_counted(path("lambdas"), "*lambda*")
    equal("functions of lambdas", (len(found), "inlined" in talk), (4, False))
    with open(path("parts.c"), "w") as f:
        f.write("extern int rare(int);\nstatic int parted(int n)\n{\n\tif (__builtin_expect(n < 3, 1))\n\t\treturn n;\n"
                "\tfor (int i = 0; i < n; i++)\n\t\tn += rare(i) * rare(n) + rare(n + 1);\n\treturn n;\n}\n"
                "int one(int n) { return parted(n) + 1; }\nint other(int n) { return parted(n) + 2; }\n"
                "__attribute__((noipa)) int rare(int n) { return n; }\nint main(int n, char **v) { return one(n) + other(n) == 0; }\n")
    run("gcc", "-O2", "-g", "-o", path("parts"), path("parts.c"))
    check("parted.part.0" in [symbol[0] for symbol in Elf(path("parts")).symbols()], "the compiler split no function")
    found, talk = names_counted(path("parts"), "parte*")
    has("what was inlined but for a part", talk, "calls of parted in %s cannot be counted: it was inlined" % path("parts"))
    # A function in a function has a number behind its name.
    with open(path("nested.c"), "w") as f:
        f.write("int call(int (*f)(int), int n) { return f(n); }\n"
                "int main(int argc, char **argv) { int inner(int n) { return n + argc; } return call(inner, 1) == 0; }\n")
    run("gcc", "-O0", "-g", "-o", path("nested"), path("nested.c"))
    found, talk = names_counted(path("nested"), "inner")
    equal("a function in a function", (len(found), "inlined" in talk), (1, False))
    process = start_target(target, "spin", "1", ready="ready", stdin=subprocess.PIPE)
    for pattern, said in (("no_such_function", "no function 'no_such_function'"),
                          ("no_such_*", "no function is named like that"),
                          ("leaf@no_such_file", "no module 'no_such_file'")):
        done = wperf("record", "-o", path("names.data"), "-p", str(process.pid), "--calls", pattern, status=USAGE)
        has("a name that nothing has", done.stderr, said)
    done = wperf("record", "-o", path("names.data"), "-p", str(process.pid), "--calls", "memset@libc.so*", status=USAGE)
    has("an indirect function", done.stderr, "--calls memset@libc.so*: its calls cannot be counted: it is indirect")
    has("what to do about it", done.stderr, "\n'*memset*' means all that there are.\n")
    step("names: of C++, static, by module, inlined, none")


def check_aliases():
    """A function of several names goes by the one that it was asked for by, and so do its samples."""
    program = path("aliases")
    with open(program + ".c", "w") as f:
        f.write("__attribute__((noipa)) int __internal_work(int n) { for (volatile int i = 0; i < 100000; i++) ; return n; }\n"
                "int work(int n) __attribute__((weak, alias(\"__internal_work\")));\n"
                "int labour(int n) __attribute__((alias(\"__internal_work\")));\n"
                "int main(void) { for (int i = 0; i < 300; i++) work(i); }\n")
    run("gcc", "-O1", "-g", "-o", program, program + ".c")
    for pattern, want in (("work", "work"), ("labour", "labour"), ("__internal_work", "__internal_work"), ("*work", "work")):
        file = path("aliases.data")
        wperf("record", "-o", file, "--marker", "none", "--calls", pattern + "@aliases", "--", program)
        rows = [f for g in report(file)["groups"] for f in g["functions"] if f["function"] in ("work", "labour", "__internal_work")]
        equal("rows of " + pattern, [(f["function"], f["ncalls"]) for f in rows], [(want, 300)])
        check(rows[0]["samples"], "its samples are in another row")
    step("one function of three names")


def check_vectors():
    """The kernel takes some vector instructions for jumps: no probe goes there, and the target does what it does."""
    with open("/proc/cpuinfo") as f:
        if " avx " not in f.read():
            step("vector instructions: omitted, this CPU has no AVX")
            return
    program = path("vectors")
    with open(program + ".s", "w") as f:
        f.write(".globl store, main\n.type store, @function\nstore: vmovdqu %xmm0, (%rdi)\n ret\n.size store, . - store\n"
                ".type caller, @function\ncaller: push %rbx\n call store\n pop %rbx\n ret\n.size caller, . - caller\n"
                "main: push %rbx\n sub $32, %rsp\n mov $100, %ebx\n1: vmovd %ebx, %xmm0\n mov %rsp, %rdi\n call caller\n"
                " cmp %ebx, (%rsp)\n jne 2f\n dec %ebx\n jnz 1b\n2: mov %ebx, %eax\n add $32, %rsp\n pop %rbx\n ret\n"
                ".section .note.GNU-stack\n")
    run("gcc", "-o", program, program + ".s")
    for options in (("--marker", "none", "--calls", "store"), ("--marker", "func:caller", "--calls", "caller", "--calls", "store")):
        # Its exit status is what is left of the rounds where something else than what was stored is there.
        wperf("record", "-o", path("vectors.data"), *options, "--", program)
        got, inexact = counted(report(path("vectors.data")), ("store",))
        equal("calls of what begins with a vector instruction", (got, inexact), ({"store": (100, 100)}, set()))
    done = wperf("record", "-o", path("vectors.data"), "--marker", "func:store", "--", program, status=USAGE)
    has("a request of it", done.stderr, "a probe on store in %s would change what the target does" % program)
    step("vector instructions")


def check_thunks():
    """A virtual call through a second base class is one call, and one request."""
    for flags in ("-O0", "-O2", "-pg"):
        binary = build("e2e_thunks.cc", flags, output="thunks" + flags)
        for options, names in ((("--marker", "none", "--calls", "both::*", "--calls", "shared::*"), ("both::far", "shared::far", "both::near", "shared::near", "both::self", "shared::self", "both::down", "shared::down")),
                               (("--marker", "func:both::far"), ()), (("--marker", "func:shared::far"), ()), (("--marker", "func:both::self"), ())):
            process = start_target(binary, ready="ready", stdin=subprocess.PIPE, cwd=path("."))  # gmon.out
            recording = Recording("-p", process.pid, *options)
            process.stdin.write("\n")
            process.stdin.flush()
            check(process.stdout.readline().startswith("done"), "the target ended")
            recording.stop()
            process.stdin.close()
            equal("exit status of the target", process.wait(PATIENCE), 0)
            profile = report(recording.file)
            calls = dict.fromkeys(names, 0)
            for f in (f for g in profile["groups"] for f in g["functions"] if f["ncalls"]):
                name = f["function"].partition("(")[0].rpartition(" ")[2]
                calls[name] = calls.get(name, 0) + f["ncalls"]
            equal("calls, " + flags, calls, {name: 199 if name.endswith("down") else 100 for name in names})
            if not names:
                equal("requests, " + flags, list(requests_by_path(profile).values()), [100])
    # As clang has them in a library: by way of a stub.
    with open(path("stub.s"), "w") as f:
        f.write(".globl _ZN1M1hEi, _ZThn8_N1M1hEi\n.type _ZN1M1hEi, @function\n_ZN1M1hEi: push %rbx\n pop %rbx\n ret\n"
                ".size _ZN1M1hEi, . - _ZN1M1hEi\n.type _ZThn8_N1M1hEi, @function\n_ZThn8_N1M1hEi: sub $8, %rdi\n"
                " jmp _ZN1M1hEi@PLT\n.size _ZThn8_N1M1hEi, . - _ZThn8_N1M1hEi\n.section .note.GNU-stack\n")
    with open(path("stub.c"), "w") as f:
        f.write("void thunk(void *) __asm__(\"_ZThn8_N1M1hEi\");\nint main(void) { for (int i = 0; i < 100; i++) thunk(&i); }\n")
    run("gcc", "-shared", "-o", path("stub.so"), path("stub.s"))
    run("gcc", "-o", path("stub"), path("stub.c"), path("stub.so"))
    done = wperf("record", "-o", path("stub.data"), "--marker", "none", "--calls", "M::h", "--", path("stub"))
    has("calls by a stub", done.stderr, "wperf: 100 calls counted")
    step("thunks")


LOOPS = r"""
#include <stdio.h>
#include <stdlib.h>
volatile long seen, filled;
__attribute__((cold, noinline)) void fill(void) { filled = 1; }
__attribute__((noinline)) int by_switch(const unsigned char *p)
{
	for (;;)
		switch (*p++) {
		case 0: return 0;
		case 1: case 2: case 9: case 10: continue;
		case 3: return 3;
		case 4: seen++; return 4;
		case 5: return 17;
		case 6: seen += 3; return 99;
		case 7: return *p;
		case 8: return p[1];
		default: return -1;
		}
}
__attribute__((noinline)) long by_label(const unsigned char *p, long sum)
{
	static void *to[] = { &&more, &&less, &&end };
more:	if (sum > 1000000) return sum;
	sum += 3; goto *to[*p++];
less:	sum ^= (long)p & 1; goto *to[*p++];
end:	return sum;
}
__attribute__((noinline)) void by_state(const unsigned char *p)
{
	void *to;
more:	seen++; to = &&less; if (!*p) to = &&more; else if (*p == 3) to = &&end; p++; goto *to;
less:	seen += 2; to = &&more; if (*p == 1) to = &&end; p++; goto *to;
end:	return;
}
__attribute__((noinline)) int by_difference(const unsigned char *p)
{
	static const int to[] = { &&more - &&less, &&less - &&less, &&end - &&less };
more:	seen++; goto *(&&less + to[*p++]);
less:	seen--;
	switch (*p & 15) {
	case 0: seen += 5; break; case 1: filled = 1; break; case 2: seen -= 9; break; case 3: filled = 9; break;
	case 4: seen *= 3; break; case 5: seen = 1; break; case 6: filled = 3; break; case 7: seen += 7; break; default: seen = 2;
	}
	goto *(&&less + to[*p++]);
end:	return 1;
}
__attribute__((noinline)) void by_struct(const unsigned char *p)
{
	static const struct { void *label; int n; } to[] = { { &&more, 1 }, { &&less, 2 }, { &&end, 3 } };
more:	seen++; goto *to[*p++].label;
less:	seen--; goto *to[*p++].label;
end:	return;
}
__attribute__((noinline)) long by_cold(volatile long *at)
{
	while (__builtin_expect(!__atomic_load_n(at, __ATOMIC_ACQUIRE), 0))
		fill();
	return (*at)--;
}
__attribute__((noinline)) long once(long n) { return n + seen; }
long (*commands[2])(long);
__attribute__((noinline)) long last(int i, long n) { return commands[i & 1](n); }
__attribute__((noinline)) long last_given(long (**to)(long), int i, long n) { return to[i & 1](n); }
long by_loop(long n);
__asm__(".text\n.globl by_loop\n.type by_loop, @function\nby_loop: dec %rdi\njnz by_loop\nmov $5, %eax\nret\n"
	".byte 6, 6\n.size by_loop, . - by_loop\n");
int main(void)
{
	long sum = 0;
	commands[0] = commands[1] = labs;
	for (int i = 0; i < 200; i++) {
		by_state((unsigned char *)"\0\1\0\2\0\1\2\3");
		by_struct((unsigned char *)"\0\1\0\0\1\2");
		sum += by_difference((unsigned char *)"\0\1\0\0\1\2");
		sum += by_switch((unsigned char *)"\1\2\11\12\1\7\5") + by_label((unsigned char *)"\0\1\0\0\1\2", i) +
		       by_cold(&filled) + once(i) + by_loop(5) + last(i, i) + last_given(commands, i, i);
	}
	return sum == 1;
}
"""


def check_loops():
    """A loop's rounds are no calls, however it leads back: each function is counted right, or is not, which is said."""
    names = ("by_switch", "by_label", "by_cold", "by_loop", "once", "last", "last_given")
    with open(path("loops.c"), "w") as f:
        f.write(LOOPS)
    with open(path("thunks.s"), "w") as f:
        for register in ("rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", *("r%d" % n for n in range(8, 16))):
            f.write("\t.globl __x86_indirect_thunk_%s\n__x86_indirect_thunk_%s: lfence\n\tjmp *%%%s\n" % ((register,) * 3))
        f.write("\t.section .note.GNU-stack\n")
    for flags in ("-O1", "-O2", "-Os", "-O1 -fcf-protection=none -Wl,-z,pack-relative-relocs", "-O1 -fno-pie -no-pie -fcf-protection=none",
                  "-O2 -fcf-protection=none -mindirect-branch=thunk", "-O1 -fcf-protection=none -mindirect-branch=thunk-inline",
                  "-O2 -fcf-protection=none -mindirect-branch=thunk-extern"):
        program = path("loops" + flags.replace(" ", ""))
        thunks = (path("thunks.s"),) if "extern" in flags else ()
        run("gcc", *flags.split(), "-o", program, path("loops.c"), *thunks)
        done = wperf("record", "-o", path("loops.data"), "--marker", "none", "--calls", "by_*@loops*", "--calls", "once", "--calls", "last*@loops*", "--", program)
        refused = set(re.findall(r"calls of (\w+) in \S+ are not counted: .*its first instruction", done.stderr))
        got, inexact = counted(report(path("loops.data")), names)
        equal("calls of functions with loops, " + flags, (got, inexact), ({name: (200, 200) for name in names if name not in refused}, set()))
        check("by_loop" in refused and not refused & {"once", "last", "last_given"}, "refused: %r" % refused)
        for name in refused:
            done = wperf("record", "-o", path("loops.data"), "--marker", "func:" + name, "--", program, status=USAGE)
            has("a request that begins with a loop", done.stderr, "when %s in %s is called cannot be told: " % (name, program))
    # Debug information is not read for it: holes behind the file, here.
    with open(program, "ab") as f:
        f.truncate(1 << 29)
    process = subprocess.Popen([WPERF, "record", "-q", "-o", path("loops.data"), "--marker", "none", "--calls", "last", "--", program])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    check(not status and usage.ru_maxrss < 1 << 18, "memory for a large file: %d KB" % usage.ru_maxrss)
    step("loops from the entry")


MIDST = """
__asm__(".pushsection .text\\n"
	".type whole, @function\\nwhole: mov %rdi, %rax\\n1: cmp $10, %rdi\\njb 2f\\nadd $1, %rax\\n2: ret\\n.size whole, . - whole\\n"
	".type other, @function\\nother: lea 5(%rdi), %rax\\njmp 1b\\n.size other, . - other\\n"
	".popsection");
long whole(long), other(long);
int main(void) { for (int i = 0; i < 1000; i++) i < 7 ? whole(i) : other(i); }
"""


def check_midst():
    """Who goes on in another function, behind its first instruction, has not called it: as mempcpy() in memmove()."""
    run("gcc", "-O1", "-x", "c", "-", "-o", path("midst"), input=MIDST, stdin=None)
    file = path("midst.data")
    wperf("record", "-o", file, "--marker", "none", "--max-overhead", "100", "--calls", "whole", "--calls", "other",
          "--", path("midst"))
    equal("calls", counted(report(file), ("whole", "other")), ({"whole": (7, 7), "other": (993, 993)}, set()))
    step("into the midst of a function: 7 calls and 993")


def check_unmet():
    """What patterns meant that could not be known when recording began: said when it ends."""
    plugin = path("plugin.so")
    run("gcc", "-O1", "-g", "-shared", "-fPIC", "-o", plugin, os.path.join(ROOT, "tests/targets/e2e_plugin.c"))
    os.chmod(plugin, 0o644)  # what looks like a program among the arguments is known from the beginning
    talk = path("unmet.err")
    with open(talk, "w") as f:
        process = start_target(WPERF, "record", "-v", "-o", path("unmet.data"), "--marker", "none", *(
            word for pattern in ("leaf", "outer", "insid[e]", "no_such_*", "none@plugin.so", "leaf@nowhere.so", "leaf@plugin.so")
            for word in ("--calls", pattern)), "--", target, "dlclose", "300", plugin,
            ready="ready", stdin=subprocess.PIPE, stderr=f)

    def said(text):
        with open(talk) as f:
            return text in f.read()

    while not said("counts inside in "):
        go(process)
    process.stdin.close()
    equal("exit status", process.wait(PATIENCE), 0)
    with open(talk) as f:
        text = f.read()
    for line in ("--calls no_such_*: no function was named like that", "--calls none@plugin.so: no function 'none' in plugin.so",
                 "--calls leaf@nowhere.so: no module 'nowhere.so' in the target",
                 "--calls leaf@plugin.so: no function 'leaf' in plugin.so"):
        has("what nothing was named like", text, "wperf: %s\n" % line)
    # As it would have been said of a target that runs: a name that was mistyped, and what nm has behind one.
    done = wperf("record", "-o", path("unmet.data"), "--marker", "none", "--calls", "middel", "--calls", "malloc@GLIBC_2.2.5", "--",
                 target, "spin", "1")
    has("what is near", done.stderr, "wperf: --calls middel: no function 'middel' in the target\nwperf: Nearest: middle")
    has("a version", done.stderr, "wperf: GLIBC_2.2.5 is the version of a symbol, and is left out: malloc.\n")
    uncalled = re.search("no call was counted of what these mean: (.*)", text)[1].split(", ")
    # Whether there was another call of a function that came late is for chance to say.
    equal("what was not called", [name for name in uncalled if name != "insid[e]"], ["outer"])

    running = start_target(target, "spin", "1", ready="ready", stdin=subprocess.PIPE)
    done = wperf("record", "-o", path("unmet.data"), "-p", str(running.pid), "--calls", "leaf", "--calls", "leaf@libc.so*",
                 status=USAGE)
    has("of another file", done.stderr, "no function 'leaf' in libc.so*")
    # One function by two names is what both mean.
    done = wperf("record", "-o", path("unmet.data"), "-p", str(running.pid), "--duration", "0.1", "--calls", "open@libc.so*",
                 "--calls", "open64@libc.so*")
    has("two names of a function", done.stderr, "no call was counted of what these mean: open@libc.so*, open64@libc.so*")

    # It has no path, but can be had as long as it is mapped; if it is just then, once more.
    gone = ("import _ctypes, ctypes, os; fd = os.open(%r, 0); os.unlink(%r); "
            "_ctypes.dlclose(ctypes.CDLL('/proc/self/fd/%%d' %% fd)._handle)" % (plugin, plugin))
    for _ in range(10):
        run("gcc", "-O1", "-g", "-shared", "-fPIC", "-o", plugin, os.path.join(ROOT, "tests/targets/e2e_plugin.c"))
        done = wperf("record", "-o", path("unmet.data"), "--calls", "inside@plugin.so*", "--", "/usr/bin/python3", "-c", gone)
        if "no call was counted" not in done.stderr:
            break
    has("code that is gone", done.stderr, "calls in %s (deleted) are not counted: the file, or its process, was gone before it could be searched" % plugin)
    has("code that is gone", done.stderr, "--calls inside@plugin.so*: no function was named like that in what could be searched")
    done = wperf("record", "-o", path("unmet.data"), "--calls", "python", "--", "/bin/true")
    has("without Python", done.stderr, "--calls python: the target ran no Python that can be counted")
    step("what patterns did not mean")


def check_soon():
    """Libraries that a program loads and uses for a moment are searched in time; on a busy machine not each time."""
    program = "import time, bz2; time.sleep(0.2); bz2.compress(b'1'); time.sleep(0.01)"
    for _ in range(10):
        recording = Recording("--marker", "none", "--calls", "BZ2_bzCompress@libbz2", "--", "/usr/bin/python3", "-c", program).wait()
        got, inexact = counted(report(recording.file), ("BZ2_bzCompress",))
        if got:
            break
    check(got, "none of 10 runs had its calls counted")
    equal("rows that are inexact", inexact, {"BZ2_bzCompress"})
    step("libraries of what begins: %d calls" % got["BZ2_bzCompress"][0])


def check_go():
    """What is like a program of Go's: stacks say nothing of callers, functions begin twice, stacks move."""
    go_like = build("e2e_calls.c", "-DLIKE_GO", output="go_like")

    def record(mode, *options):
        process = start_target(go_like, mode, "300", ready="ready", stdin=subprocess.PIPE)
        recording = Recording("-p", process.pid, *options, "--max-overhead", "100")
        want, _ = go(process)
        recording.stop()
        return want, report(recording.file)

    want, profile = record("recursion", "--marker", "none", "--calls", "outer")
    equal("calls", counted(profile)[0], {"outer": (want["outer"][0], None)})
    # Assembly's symbols have one thing more than names.
    equal("assembly's", names_counted(go_like, "grow_stack")[0], {"grow_stack.abi0"})
    # A third of the calls begin twice: the counter sees each once.
    want, profile = record("guarded", "--marker", "func:guarded", "--calls", "guarded")
    equal("calls that begin twice", want["guarded"], (300, 300))
    equal("calls that begin twice, counted", counted(profile, ("guarded",))[0], {"guarded": (300, None)})
    for name in ("guarded", "moving"):
        _, profile = record(name, "--marker", "func:" + name)
        equal("requests", requests_by_path(profile), {name: 300})
        equal("unfinished ones of " + name, sum(g["unfinished"] for g in profile["groups"]), 0)
        equal("ends without a begin of " + name, profile["tallies"]["unmatched_ends"], 0)
    step("as in Go: functions that begin twice, stacks that move")


def check_exec():
    """What leads to the command is wperf's; what the command calls to become another program is its own."""
    run("gcc", "-x", "c", "-", "-o", path("nothing"), input="int main(void) { return 0; }", stdin=None)
    for command, nr in (((), 0), (("env",), 1), (("sh", "-c", 'exec "$0"'), 1), (("env", "/bin/sh", "-c", 'exec "$0"'), 2)):
        wperf("record", "-o", path("exec.data"), "--marker", "none", "--calls", "execve@libc*", "--", *command, path("nothing"))
        equal("calls of execve by %s" % (command,), counted(report(path("exec.data")), ("execve",)), ({"execve": (nr, nr)} if nr else {}, set()))
    run("gcc", "-x", "c", "-", "-o", path("stays"), input="""#include <unistd.h>
int main(void) { for (int i = 0; i < 3; i++) execl("/nowhere", "x", NULL); }""", stdin=None)
    # A name is looked for by one execve() a directory. One that works has no end.
    for command, unfinished in (((path("stays"),), 0), (("env", path("stays")), 1), (("stays",), 0)):
        wperf("record", "-o", path("exec.data"), "--marker", "func:execve@libc.so.6", "--", *command,
              env={**os.environ, "PATH": "%s:/nowhere:%s" % (os.environ["PATH"], path(""))})
        profile = report(path("exec.data"))
        equal("requests in execve of %s" % (command,), requests_by_path(profile), {"execve@libc.so.6": 3})
        equal("unfinished ones", sum(g["unfinished"] for g in profile["groups"]), unfinished)
    step("what becomes another program")


def check_overhead():
    """What takes too much is not counted any more: it is said, its row says so, and the others stay exact."""
    process = start_target(target, "spin", "3000", ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--marker", "none", "--calls", "middle", "--calls", "leaf")
    want, _ = go(process)
    recording.stop()
    has("what wperf said", recording.talk, "no more calls of leaf are counted")
    check(re.search(r"\d+ calls counted, [0-9.]+ us each: [0-9.]+ % of the target's CPU time", recording.talk),
          "no cost in:\n" + recording.talk)
    got, inexact = counted(report(recording.file))
    equal("calls of what takes little", got["middle"], want["middle"])
    equal("inexact rows", inexact, {"leaf"})
    has("what the report said", wperf("report", "-i", recording.file).stderr, "1 function was not counted all the time")
    check(0 < got["leaf"][0] < want["leaf"][0], "calls of what took too much: %r" % (got["leaf"],))
    step("overhead: %d of %d calls, and all %d of the other" % (got["leaf"][0], want["leaf"][0], want["middle"][0]))


for one in (check_library, check_others, check_killed_midway, check_loss, check_ends, check_names, check_aliases,
            check_vectors, check_thunks, check_loops, check_midst, check_unmet, check_soon, check_exec, check_go, check_overhead):
    if len(sys.argv) < 2 or one.__name__ in sys.argv[1:]:
        one()
