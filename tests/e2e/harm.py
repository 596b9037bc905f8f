#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Probes change nothing of what their target does.

Instructions of all kinds do what they do without a probe on them. The pieces are all opcodes of all maps with their
prefixes, on registers, on memory, and on memory by the instruction pointer, followed by nops that an immediate takes
as many of as it has bytes; and by name what goes somewhere else. Each piece is a function of its own, so its probe
goes where call_place.c has it. What cannot be run is there as well: it has to end by the same signal, with the same
registers.
"""
from calls_lib import *

PREFIXES = (b"", b"\x66", b"\xf2", b"\xf3", b"\x48", b"\x41", b"\x4c", b"\xf3\x48", b"\x64")
NOPS = 10
ROUNDS = 2

# Opcodes whose meaning the middle of ModRM has.
GROUPS = {0x80, 0x81, 0x83, 0xc0, 0xd1, 0xd3, 0xf6, 0xf7, 0xfe}

# Not among all opcodes: prefixes, other maps, what jumps or comes from elsewhere, and what two runs have different.
JUMPS = {*range(0x70, 0x80), *range(0xe0, 0xe4), 0xe8, 0xe9, 0xeb, 0xc2, 0xc3, 0xca, 0xcb, 0xcd, 0xcf, 0xff, 0x9d}
NONE_1 = {0x0f, 0x26, 0x2e, 0x36, 0x3e, *range(0x40, 0x50), 0x62, *range(0x64, 0x68), 0x8e, 0xc4, 0xc5, 0xf0, 0xf2, 0xf3}
NONE_2 = {0x01, 0x05, 0x07, 0x0b, 0x31, 0x34, 0x35, 0x38, 0x3a, *range(0x80, 0x90), 0xa1, 0xa2, 0xa9, 0xae, 0xb2, 0xb4, 0xb5, 0xc7}

NAMED = """
pushf
pushf; popf
pushf; pop %rax
pushfw
popf
endbr64
nopl (%rax)
.byte 0x0f,0x1f,0x40,0
.byte 0x0f,0x1f,0x44,0,0
.byte 0x66,0x0f,0x1f,0x44,0,0
.byte 0x48,0x8d,0x74,0x26,0
mov %eax,%eax
mov %edi,%edi
.byte 0x49,0x90
.byte 0x41,0x90
.byte 0xf3,0x41,0x90
jmp 1f; 1:
.byte 0xe9,0,0,0,0
.byte 0x48,0xeb,0
.byte 0xf2,0xe9,0,0,0,0
.byte 0xf2; jz 1f; inc %r9; 1:
jrcxz 1f; inc %r9; 1:
loop 1f; inc %r9; 1:
loope 1f; inc %r9; 1:
loopne 1f; inc %r9; 1:
call 1f; 1:
call helper
call *%r13
call *(%r14)
call *8(%rsp)
call *helper_ptr
call *helper_ptr(%rip)
.byte 0xf2; call *helper_ptr(%rip)
.byte 0x3e; call *%r13
jmp *piece_end_ptr(%rip)
ret
ret $16
.byte 0xf3; ret
.byte 0xf2; ret
lretq
iretq
push %rsp
push 8(%rsp)
push data+8(%rip)
.byte 0x48,0x55
.byte 0x43,0x55
pop 8(%rsp)
pop %rsp
enter $16,$0
enter $16,$2
lea 0(%rip),%rax
cmpxchg8b data+16(%rip)
cmpxchg16b data+1024(%rip)
xsave (%rsi)
fxsave (%rsi)
lock incl (%rdi)
rep movsb
rep stosq
repne scasb
repe cmpsb
std; movsb; cld
mov %fs:0,%rax; xor %eax,%eax
rdfsbase %rax; xor %eax,%eax
rdtsc; xor %eax,%eax; xor %edx,%edx
cpuid; xor %eax,%eax; xor %ebx,%ebx; xor %ecx,%ecx; xor %edx,%edx
xor %ecx,%ecx; xgetbv
mov %ss,%eax; mov %eax,%ss; inc %r9
mov $39,%eax; syscall; xor %eax,%eax; xor %ecx,%ecx
mov $20,%eax; syscall
syscall
xbegin 1f; 1:
xtest
int3
ud2
hlt
""".strip().split("\n")


def all_opcodes():
    """(bytes up to the opcode, the middle of ModRM)"""
    for prefix in PREFIXES:
        for opcode in set(range(256)) - JUMPS - NONE_1:
            for middle in (1, 4, 6) if opcode in GROUPS else (1,):
                yield bytes((*prefix, opcode)), middle
        for opcode in set(range(256)) - NONE_2:
            yield bytes((*prefix, 0x0f, opcode)), 1
        for opcode in range(256) if len(prefix) < 2 and prefix != b"\x64" else ():
            yield bytes((*prefix, 0x0f, 0x38, opcode)), 1
            yield bytes((*prefix, 0x0f, 0x3a, opcode)), 1
    for maps in (1, 2, 3):
        for last in (0x78, 0x78 ^ 6 << 3):  # no further register, %ymm6 or %esi
            for pp in range(4):
                for opcode in range(256):
                    yield bytes((0xc4, 0xe0 | maps, last | 4 | pp, opcode)), 1


def register_form(code, middle):
    return ".byte %s" % ",".join(map(str, (*code, 0xc2 | middle << 3)))


def memory_form(code, middle):
    return ".byte %s" % ",".join(map(str, (*code, 0x07 | middle << 3)))


def relative_form(code, middle):
    return ".byte %s; .long data+1024-(.+4)" % ",".join(map(str, (*code, 0x05 | middle << 3)))


def write_pieces(file, pieces):
    with open(file, "w") as f:
        f.write(".text\n")
        for i, piece in enumerate(pieces):
            f.write(".p2align 5\n.globl piece_{0}\n.type piece_{0}, @function\npiece_{0}: {1}\n.fill {2},1,0x90\njmp *piece_end_ptr\n"
                    ".size piece_{0}, . - piece_{0}\n".format(i, piece, NOPS))
        f.write(".section .rodata\n.globl pieces, nr_pieces\n.p2align 3\npieces:\n")
        f.writelines(".quad piece_%d\n" % i for i in range(len(pieces)))
        f.write("nr_pieces: .long %d\n.section .note.GNU-stack\n" % len(pieces))


def results(*command):
    return run(*command).stdout.splitlines()


def make(name, pieces):
    write_pieces(path(name + ".s"), pieces)
    return build("e2e_instructions.c", path(name + ".s"), "-static", "-no-pie", "-Wa,--noexecstack", output=name)


def check_pieces(what, pieces):
    program = make("pieces", pieces)
    want = results("setarch", "-R", program, str(ROUNDS))
    equal("lines", len(want), ROUNDS * len(pieces))
    done = wperf("record", "-v", "-o", path("pieces.data"), "--marker", "none", "--max-overhead", "100", "--calls", "piece_*@pieces",
                 "--", "setarch", "-R", program, str(ROUNDS))
    got = done.stdout.splitlines()
    nr_probes = len(re.findall(r"counts piece_\d+ in", done.stderr))
    check(nr_probes > len(pieces) * 0.9, "%d probes on %d pieces" % (nr_probes, len(pieces)))
    for a, b in zip(want, got):
        equal("with a probe on: " + pieces[int(a.split()[0])], b, a)
    equal("lines", len(got), len(want))
    step("%s: %d pieces, %d probes" % (what, len(pieces), nr_probes))


def check_named():
    conditions = ("o", "no", "c", "nc", "z", "nz", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g")
    jumps = ["%sj%s 1f; inc %%r9; 1:" % (form, c) for c in conditions for form in ("", "{disp32} ")]
    check_pieces("by name", NAMED + jumps)


def check_all():
    """What is no instruction on this CPU would be most of it."""
    codes = list(all_opcodes())
    program = make("tried", [form(*code) for code in codes for form in (register_form, memory_form)])
    is_valid = [" signal %d " % signal.SIGILL not in line for line in results("setarch", "-R", program)]
    pieces = [form(*code) for i, code in enumerate(codes) for form, valid in
              ((register_form, is_valid[2 * i]), (memory_form, is_valid[2 * i + 1]), (relative_form, is_valid[2 * i + 1])) if valid]
    check_pieces("all opcodes", pieces)


NOP5 = """
    .text
    .globl main, near
    .type near, @function
near:
    mov %rdi, -8(%rsp)
    mov %rdi, -24(%rsp)
probe:
    .byte 0x0f,0x1f,0x44,0,0
    mov -8(%rsp), %rax
    add -24(%rsp), %rax
    ret
    .size near, . - near
    .type holds, @function
holds:
    mov $0x90909090, %eax
    ret
    .size holds, . - holds
    .globl begins
    .type begins, @function
begins:
    .byte 0x0f,0x1f,0x44,0,0
    lea (%rdi,%rdi), %rax
    ret
    .size begins, . - begins
    .globl locked
    .type locked, @function
locked:
    lock addl $1, -4(%rsp)
    ret
    .size locked, . - locked
main:
    push %rbx
    call locked
    mov $100, %ebx
1:  mov %rbx, %rdi
    call near
    mov %rax, %rdi
    call begins
    lea (,%rbx,4), %rcx
    cmp %rcx, %rax
    jne 2f
    dec %ebx
    jnz 1b
2:  mov %ebx, %eax
    pop %rbx
    ret
    .section .note.stapsdt, "", "note"
    .balign 4
    .4byte 2f-1f, 4f-3f, 3
1:  .asciz "stapsdt"
2:  .balign 4
3:  .8byte probe, base, 0
    .asciz "five"
    .asciz "bytes"
    .asciz ""
4:  .balign 4
    .4byte 2f-1f, 4f-3f, 3
1:  .asciz "stapsdt"
2:  .balign 4
3:  .8byte near + 1, base, 0
    .asciz "no"
    .asciz "nop"
    .asciz ""
4:  .balign 4
    .4byte 2f-1f, 4f-3f, 3
1:  .asciz "stapsdt"
2:  .balign 4
3:  .8byte holds + 1, base, 0
    .asciz "no"
    .asciz "place"
    .asciz ""
4:  .balign 4
    .section .stapsdt.base, "a", "progbits"
base: .space 1
    .section .note.GNU-stack
"""


def check_red_zone():
    """The kernel makes a call of a nop of five bytes: no probe in a function's midst, where that writes over what is kept there."""
    program = path("nop5")
    with open(program + ".s", "w") as f:
        f.write(NOP5)
    run("gcc", "-no-pie", "-o", program, program + ".s")
    # Its exit status is what is left of the rounds where something else than the sum came out.
    wperf("record", "-o", path("nop5.data"), "--marker", "func:begins", "--calls", "begins", "--calls", "near", "--", program)
    equal("requests", requests_by_path(report(path("nop5.data"))), {"begins": 100})
    for marker in ("begin=usdt:five:bytes,end=near%return", "begin=near,end=usdt:five:bytes"):
        done = wperf("record", "-o", path("nop5.data"), "--marker", marker, "--", program, status=USAGE)
        has(marker, done.stderr, "a probe on five:bytes in %s would change what the target does" % program)
    for probe in ("no:nop", "no:place"):
        done = wperf("record", "-o", path("nop5.data"), "--marker", "begin=begins,end=usdt:" + probe, "--", program, status=USAGE)
        has(probe, done.stderr, "a probe on %s in %s would change what the target does: no nop" % (probe, program))
    # What the kernel refuses is found out before the program begins, which would run without the probe.
    for marker in ("func:locked", "begin=locked,end=near%return", "begin=near,end=locked"):
        done = wperf("record", "-o", path("nop5.data"), "--marker", marker, "--", program, status=USAGE)
        has(marker, done.stderr, "cannot probe locked in %s: the kernel takes no probe on the instruction there" % program)
    step("a nop of five bytes, what is none, and what takes no probe")


def check_throws():
    """Who throws without exception tables meets no return probe, nor does OCaml's collector."""
    program = build("e2e_throws.c", "-no-pie")
    done = wperf("record", "-o", path("throws.data"), "--marker", "func:throws", "--", program)
    equal("what was caught", done.stdout, "500\n")
    equal("requests", requests_by_path(report(path("throws.data"))), {"throws": 500})
    scanner = build("e2e_scans.c")
    done = wperf("record", "-o", path("scans.data"), "--marker", "func:scanned", "--", scanner)
    equal("return addresses that are known", done.stdout, "100\n")
    equal("requests", requests_by_path(report(path("scans.data"))), {"scanned": 100})
    step("who throws, or looks up its stack, without tables")


PATCHED = r"""
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
__attribute__((noipa)) int hook(int x) { return x + 2; }
__attribute__((noipa)) int hooked(int x) { return x * 3; }
__attribute__((noipa)) int plain(int x) { return x * 5; }
static void patch(uint8_t *at, const uint8_t *to)
{
	void *page = (void *)((uintptr_t)at & ~4095UL);
	int32_t distance = (int32_t)(to - (at + 5));

	mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
	*at = 0xe9;
	memcpy(at + 1, &distance, 4);
	mprotect(page, 8192, PROT_READ | PROT_EXEC);
}
int main(int argc, char **argv)
{
	int i, sum = 0;

	if (argc > 1)
		patch((uint8_t *)hooked, (uint8_t *)hook);
	puts("ready");
	fflush(stdout);
	getchar();
	for (i = 0; i < 100; i++)
		sum += hooked(i) + plain(i);
	printf("%d\n", sum);
	return 0;
}
"""

# Its code is not entered while no code object is freed.
PATCHED_PYTHON = """
import ctypes, sys
libc = ctypes.CDLL(None)
at = ctypes.c_void_p.from_address(ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "PyCode_Type")) + 48).value
libc.mprotect(ctypes.c_void_p(at & ~4095), 8192, 7)
code = ctypes.c_ubyte.from_address(at)
before, code.value = code.value, 0xf4
print("ready", flush=True)
sys.stdin.readline()
code.value = before
"""


def check_patched():
    """What a process has changed in its memory has no probe there: the kernel would do what stands in the file."""
    program = path("patched")
    with open(program + ".c", "w") as f:
        f.write(PATCHED)
    run("gcc", "-O1", "-g", "-falign-functions=16", "-o", program, program + ".c")
    want = sum(i + 2 + i * 5 for i in range(100))
    hooked = start_target(program, "hook", ready="ready", stdin=subprocess.PIPE)
    other = start_target(program, ready="ready", stdin=subprocess.PIPE)
    for marker in ("func:hooked", "begin=plain,end=hooked%return", "begin=hooked,end=plain"):
        done = wperf("record", "-o", path("patched.data"), "-p", "%d,%d" % (other.pid, hooked.pid), "--marker", marker, status=USAGE)
        has(marker, done.stderr, "the code of hooked, which process %d has changed in its memory" % hooked.pid)
    recording = Recording("-p", "%d,%d" % (hooked.pid, other.pid), "--marker", "func:plain", "--calls", "hooked", "--calls", "plain")
    equal("what was hooked", hooked.communicate("\n", PATIENCE)[0], "%d\n" % want)
    equal("what was not", other.communicate("\n", PATIENCE)[0], "%d\n" % sum(i * 8 for i in range(100)))
    recording.stop()
    has("what is not counted", recording.talk, "calls of hooked in %s are not counted in process %d" % (program, hooked.pid))
    profile = report(recording.file)
    equal("requests", requests_by_path(profile), {"plain": 200})
    equal("calls", counted(profile, ("hooked", "plain")), ({"hooked": (100, 100), "plain": (200, 200)}, {"hooked"}))

    python = start_target("/usr/bin/python3", "-c", PATCHED_PYTHON, ready="ready", stdin=subprocess.PIPE)
    done = wperf("record", "-o", path("patched.data"), "-p", str(python.pid), "--calls", "python", status=USAGE)
    has("an interpreter", done.stderr, ", which process %d has changed in its memory" % python.pid)
    python.communicate("\n", PATIENCE)
    equal("exit statuses", [p.returncode for p in (hooked, other, python)], [0, 0, 0])
    step("code that is changed in memory")


# What it does with the page of its own code that begins with `placed`, before or behind a line from stdin.
PLACED = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
__attribute__((noipa, aligned(4096))) int placed(int x) { return x * 3; }
__attribute__((noipa, aligned(4096))) int behind(int x) { return x + 2; }
static void move(void)
{
	void *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(copy, (void *)placed, 4096);
	mprotect(copy, 4096, PROT_READ | PROT_EXEC);
	mremap(copy, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)placed);
}
static void place(char how)
{
	if (how == 'w')
		mprotect((void *)placed, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	if (how == 'm')
		move();
}
int main(int argc, char **argv)
{
	int i, sum = 0;

	place(argv[1][0]);
	puts("ready");
	fflush(stdout);
	getchar();
	place(argv[1][1]);
	for (i = 0; i < 100; i++)
		sum += placed(i) + behind(i);
	printf("%d\n", sum);
	return 0;
}
"""


def check_placed():
    """Code that lies where the kernel puts no probes is not counted, though the kernel takes them."""
    program = path("placed")
    with open(program + ".c", "w") as f:
        f.write(PLACED)
    run("gcc", "-O1", "-g", "-o", program, program + ".c")
    for how, word in (("w-", "maps shared or writable"), ("m-", "has moved to other memory")):
        target = start_target(program, how, ready="ready", stdin=subprocess.PIPE)
        done = wperf("record", "-o", path("placed.data"), "-p", str(target.pid), "--marker", "func:placed", status=USAGE)
        has("a marker", done.stderr, "the code of placed, which process %d %s" % (target.pid, word))
        recording = Recording("-p", str(target.pid), "--marker", "func:behind", "--calls", "placed", "--calls", "behind")
        equal("what it says", target.communicate("\n", PATIENCE)[0], "%d\n" % sum(i * 4 + 2 for i in range(100)))
        recording.stop()
        has("what is not counted", recording.talk, "calls of placed in %s are not counted in process %d: code that it %s" %
            (program, target.pid, word))
        equal("calls", counted(report(recording.file), ("placed", "behind")), ({"behind": (100, 100)}, set()))
    target = start_target(program, "-w", ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", str(target.pid), "--marker", "func:behind", "--calls", "placed")
    target.communicate("\n", PATIENCE)
    recording.stop()
    has("mapped otherwise", recording.talk, "calls in %s may be missing: code that process %d maps shared or writable" % (
        program, target.pid))
    equal("its calls", counted(report(recording.file), ("placed",)), ({"placed": (100, 100)}, {"placed"}))
    target = start_target(program, "-m", ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", str(target.pid), "--marker", "none", "--calls", "placed")
    target.communicate("\n", PATIENCE)
    equal("what moves its code with probes in it", target.returncode, -signal.SIGTRAP)
    recording.stop()
    has("why", recording.talk, "process %d was ended by SIGTRAP while probes were in it" % target.pid)
    done = wperf("record", "-o", path("placed.data"), "--", "sh", "-c", "kill -TRAP $$", status=128 + signal.SIGTRAP)
    check("SIGTRAP" not in done.stderr, "without probes: " + done.stderr)
    step("code where no probes are put")


# Two tables whose bytes begin like a ret, and a switch; the second function has unwind info, as compilers write it.
DATA = r"""
    .text
    .globl handle, choose
    .type handle, @function
handle:
    push %rbx
    mov %edi, %ebx
    test %edi, %edi
    js 1f
    and $3, %ebx
    lea table(%rip), %rax
    mov (%rax,%rbx,4), %eax
    pop %rbx
    ret
    .balign 4
table: .long 0x909090c3, 0x909090c3, 0x909090c3, 0x909090c3
1:  xor %eax, %eax
    pop %rbx
    ret
    .size handle, . - handle
    .type choose, @function
choose:
    .cfi_startproc
    and $3, %edi
    lea numbers(%rip), %rdx
    mov (%rdx,%rdi,4), %eax
    lea ways(%rip), %rdx
    movslq (%rdx,%rdi,4), %rcx
    add %rdx, %rcx
    jmp *%rcx
numbers: .long 0x909090c3, 0x909090c3, 0x909090c3, 0x909090c3
2:  inc %eax
    ret
    .cfi_endproc
    .size choose, . - choose
    .section .rodata
    .balign 4
ways: .long 2b - ways, 2b - ways, 2b - ways, 2b - ways
    .section .note.GNU-stack,"",@progbits
"""
DATA_MAIN = r"""
#include <cstdio>
extern "C" int handle(int), choose(int), step(int);
__attribute__((noipa)) int step(int n) { return n + 1; }
/* As interpreters do: its jumps to the next instruction leave nothing. */
extern "C" __attribute__((noipa)) int interpret(const char *code)
{
	static const void *const ways[] = { &&add, &&twice, &&done };
	int n = 0;

	goto *ways[(int)*code];
add:	n = step(n);
	goto *ways[(int)*++code];
twice:	n = step(n) + step(n);
	goto *ways[(int)*++code];
done:	return n;
}
struct base { virtual int get(int) = 0; };
struct derived : base { int get(int x) override { return step(x) + 1; } };
/* A tail call by a vtable. */
extern "C" __attribute__((noipa)) int pass(base *b, int x) { return b->get(x); }
int main()
{
	unsigned int sum = 0;
	derived d;

	for (int i = 0; i < 100; i++)
		try {
			sum += (unsigned int)handle(i - 4) + (unsigned int)choose(i) + (unsigned int)interpret("\0\1\0\2") +
			       (unsigned int)pass(&d, i);
			if (i % 10 == 0)
				throw 1;
		} catch (int one) {
			sum += (unsigned int)one;
		}
	std::printf("%u\n", sum);
}
"""


def check_data():
    """No probe goes into data that stands in a function."""
    program = path("data")
    for name, text in ((".s", DATA), (".cc", DATA_MAIN)):
        with open(program + name, "w") as f:
            f.write(text)
    run("g++", "-O2", "-o", program, program + ".cc", program + ".s", "-Wa,--noexecstack")
    want = run(program).stdout
    done = wperf("record", "-v", "-o", path("data.data"), "--marker", "func:handle", "--", program)
    equal("what it makes of its data", done.stdout, want)
    equal("exits", len(re.findall(r"end: handle at .* \(exit\)", done.stderr)), 2)
    equal("requests", requests_by_path(report(path("data.data"))), {"handle": 100})
    for flags in ((), ("-fcf-protection=none", "-mindirect-branch=thunk")):
        run("g++", "-O2", "-fno-devirtualize-speculatively", *flags, "-o", program, program + ".cc", program + ".s", "-Wa,--noexecstack")
        for name in ("interpret", "pass"):
            done = wperf("record", "-v", "-o", path("data.data"), "--marker", "func:" + name, "--", program)
            equal("exits", len(re.findall(r"end: %s at .* \(exit\)" % name, done.stderr)), 1)
            equal("requests", requests_by_path(report(path("data.data"))), {name: 100})
            equal("a tail call is told of", "by calling another function last" in done.stderr, name == "pass")
    done = wperf("record", "-o", path("data.data"), "--marker", "func:choose", "--", program, status=USAGE)
    has("a switch around data", done.stderr, "the function's own exits cannot be found")
    step("data in functions")


# By the addresses of labels, none of which has a frame: from a table, or what a pointer walks along; by a table of functions.
GOTOS = r"""
#include <cstdio>
extern "C" int interpret(const unsigned char *code), walk(void), choose(int i);
__asm__(R"(
    .globl interpret, walk, choose
    .type interpret, @function
interpret:
    .cfi_startproc
    xor %eax, %eax
    lea ways(%rip), %rcx
1:  inc %eax
    movzbl (%rdi), %edx
    inc %rdi
    mov (%rcx,%rdx,8), %rdx
    jmp *%rdx
2:  ret
    .cfi_endproc
    .size interpret, . - interpret
    .type walk, @function
walk:
    .cfi_startproc
    xor %eax, %eax
    lea steps(%rip), %rcx
3:  inc %eax
    mov (%rcx), %rdx
    add $8, %rcx
    jmp *%rdx
4:  ret
    .cfi_endproc
    .size walk, . - walk
    .type choose, @function
choose:
    .cfi_startproc
    and $1, %edi
    lea functions(%rip), %rax
    jz 5f
    mov (%rax,%rdi,8), %rax
    jmp *%rax
5:  jmp *(%rax,%rdi,8)
    .cfi_endproc
    .size choose, . - choose
    .type one, @function
one: mov $1, %eax
    ret
    .size one, . - one
    .type two, @function
two: mov $2, %eax
    ret
    .size two, . - two
    .section .data.rel.ro, "aw"
    .balign 8
ways: .quad 1b, 2b
functions: .quad one, two
steps: .quad 3b, 3b, 4b
    .text
)");
int main()
{
	int sum = 0;

	for (int i = 0; i < 100; i++)
		try {
			sum += interpret((const unsigned char *)"\0\0\1") + walk() + choose(i);
			throw 1;
		} catch (int one) {
			sum += one;
		}
	std::printf("%d\n", sum);
}
"""


MANY_JUMPS = """
    .globl main, interpret
    .type interpret, @function
interpret:
    .cfi_startproc
    test %edi, %edi
    je out
    .rept 4000
    jmp *labels(, %rax, 8)
    .endr
out:
    ret
    .cfi_endproc
    .size interpret, . - interpret
main:
    xor %edi, %edi
    call interpret
    xor %eax, %eax
    ret
    .section .rodata
labels:
    .quad out
    .section .gcc_except_table
    .quad 0
    .section .note.GNU-stack, "", @progbits
"""


def check_jumps():
    """Where a jump by an address leads on in the function it is no exit."""
    program = path("jumps")
    with open(program + ".cc", "w") as f:
        f.write(GOTOS)
    for how in ("-pie", "-no-pie"):
        run("g++", "-O2", "-fPIE", how, "-o", program, program + ".cc")
        done = wperf("record", "-v", "-o", path("jumps.data"), "--marker", "func:interpret", "--marker", "func:choose", "--", program)
        equal("what it says", done.stdout, "850\n")
        equal("exits", [len(re.findall(r"end: %s at .* \(exit\)" % name, done.stderr)) for name in ("interpret", "choose")], [1, 2])
        equal("requests", requests_by_path(report(path("jumps.data"))), {"interpret": 100, "choose": 100})
        done = wperf("record", "-o", path("jumps.data"), "--marker", "func:walk", "--", program, status=USAGE)
        has("labels without an index", done.stderr, "the function's own exits cannot be found")
        wperf("record", "-o", path("jumps.data"), *(x for name in ("interpret", "walk", "choose") for x in ("--calls", name)), "--", program)
        equal("calls", counted(report(path("jumps.data")), ("interpret", "walk", "choose"))[0], {name: (100, 100) for name in ("interpret", "walk", "choose")})
    # For each jump the function is looked through; not for so many.
    program = path("many_jumps")
    with open(program + ".s", "w") as f:
        f.write(MANY_JUMPS)
    run("gcc", "-no-pie", "-o", program, program + ".s")
    done = wperf("record", "-o", path("jumps.data"), "--marker", "func:interpret", "--", program, status=USAGE)
    has("many jumps", done.stderr, "the function's own exits cannot be found")
    step("jumps by the addresses of labels, and of functions")


# A function that is left in another order than it is entered in, and one of which nobody says where it ends.
SWITCHES = r"""
#include <stdio.h>
#include <unistd.h>
int endless(int x);
__asm__(".pushsection .text\n.globl endless\n.type endless, @function\nendless: lea 1(%rdi), %eax\n ret\n.popsection");
__attribute__((noipa)) int rest(int x) { usleep(200); return x; }
__attribute__((noipa)) int leave(int x) { return rest(x); }
#ifdef SWITCH
#include <ucontext.h>
static ucontext_t own, both[2];
static char stacks[2][65536];
__attribute__((noipa)) int handle(ucontext_t *self, int x) { swapcontext(self, &own); __asm__ volatile("" ::: "memory"); return x + 1; }
static void run(int i) { for (int x = i;; x += 2) if (handle(&both[i], x) != x + 1) __builtin_trap(); }
static void start(int i)
{
	getcontext(&both[i]);
	both[i].uc_stack.ss_sp = stacks[i];
	both[i].uc_stack.ss_size = sizeof(stacks[i]);
	makecontext(&both[i], (void (*)(void))run, 1, i);
}
#endif
int main(void)
{
	int sum = 0;

	puts("ready");
	fflush(stdout);
	getchar();
#ifdef SWITCH
	start(0);
	start(1);
	for (int i = 0; i < 100; i++)
		swapcontext(&own, &both[i % 2]);
#endif
	for (int i = 0; i < 100; i++)
		sum += endless(i) + leave(0);
	printf("%d\n", sum);
	return 0;
}
"""


def check_switches():
    """Return probes belong to a thread's one stack: exits are probed, or nothing is."""
    source = path("switches.c")
    with open(source, "w") as f:
        f.write(SWITCHES)
    run("gcc", "-O2", "-o", path("plain"), source)
    run("gcc", "-O2", "-DSWITCH", "-o", path("switches"), source)
    for name, marker, want in (("switches", "func:handle", {"handle": 98}), ("plain", "func:leave", {"leave": 100}),
                               ("switches", "func:leave", {"leave": 100}), ("plain", "begin=leave,end=rest%return", {"leave": 100})):
        process = start_target(path(name), ready="ready", stdin=subprocess.PIPE)
        recording = Recording("-p", process.pid, "--marker", marker)
        equal("what it says", process.communicate("\n", PATIENCE)[0], "5050\n")
        equal("exit status", process.returncode, 0)
        recording.stop()
        profile = report(recording.file)
        equal("requests of " + name, requests_by_path(profile), want)
        if marker.startswith("begin="):
            check({g["path"]: g for g in profile["groups"]}["leave"]["elapsed"]["mean"] >= 200e-6, "a call is over before what it calls last")
        equal("a tail call is told of", "by calling another function last" in recording.talk, marker == "func:leave")
    for name in "switches", "plain":
        process = start_target(path(name), ready="ready", stdin=subprocess.PIPE)
        done = wperf("record", "-o", path("switches.data"), "-p", str(process.pid), "--marker", "func:endless", status=USAGE)
        has(name, done.stderr, "the function's own exits cannot be found, and a return probe could end programs that unwind or switch")
    step("several stacks")


# What a marker's function calls throws in another process, or after what throws was loaded.
BYSTANDERS = r"""
#include <stdio.h>
#include <stdlib.h>
static int compare(const void *a, const void *b)
{
#ifdef THROWS
	throw 1;
#endif
	return *(const int *)a - *(const int *)b;
}
int main(void)
{
	int nr = 0;

	puts("ready");
	fflush(stdout);
	getchar();
	for (int i = 0; i < 100; i++) {
		int v[] = { 2, 1 };
#ifdef THROWS
		try { qsort(v, 2, sizeof(*v), compare); } catch (int) { nr++; }
#else
		qsort(v, 2, sizeof(*v), compare);
		nr++;
#endif
	}
	printf("%d\n", nr);
}
"""


def check_bystanders():
    """A marker's probes are in all that map the file: of whatever others do there, nothing goes wrong."""
    with open(path("sorts.cc"), "w") as f:
        f.write(BYSTANDERS)
    run("gcc", "-O2", "-x", "c", "-o", path("sorts"), path("sorts.cc"))
    run("g++", "-O2", "-DTHROWS", "-o", path("throwing"), path("sorts.cc"))
    target, other = (start_target(path(name), ready="ready", stdin=subprocess.PIPE) for name in ("sorts", "throwing"))
    recording = Recording("-p", target.pid, "--marker", "func:qsort@libc.so.6")
    for process in other, target:
        equal("what it says", process.communicate("\n", PATIENCE)[0], "100\n")
        equal("exit status", process.returncode, 0)
    recording.stop()
    equal("requests", requests_by_path(report(recording.file)), {"qsort@libc.so.6": 100})
    step("others with the same file")


for one in (check_named, check_all, check_red_zone, check_throws, check_patched, check_placed, check_data, check_jumps, check_switches, check_bystanders):
    if len(sys.argv) < 2 or one.__name__ in sys.argv[1:]:
        one()
