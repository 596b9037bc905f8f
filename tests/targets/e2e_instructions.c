/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs pieces of code from a given state of registers and memory, and prints what each leaves behind: a line with its
 * number, "ok" or the signal that it ended by, and a hash of registers, flags, vectors and memory. The argument is how
 * often all of them run. The pieces are in a table that is linked to it; each ends by jmp *piece_end_ptr. Not position-independent, to be run without
 * randomized addresses: two runs print the same.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { MEMORY_BYTES = 4096, STACK_BYTES = 4096, VECTOR_BYTES = 4096, RFLAGS = 0x8d7 };

extern void (*const pieces[])(void);
extern const unsigned int nr_pieces;
void piece_run(void), piece_end(void), helper(void);

/* What pieces may use by name. */
uint8_t data[MEMORY_BYTES] __attribute__((aligned(4096)));
void (*piece_end_ptr)(void) = piece_end, (*helper_ptr)(void) = helper;

static uint8_t memory[MEMORY_BYTES] __attribute__((aligned(4096)));
static uint8_t stack[STACK_BYTES] __attribute__((aligned(4096)));
static uint8_t handler_stack[1 << 16];
/* By their names in the assembly below. */
uint64_t regs_in[16], regs_out[16], flags_in = RFLAGS, flags_out, own_sp;
uint32_t mask;
uint8_t vectors_in[VECTOR_BYTES] __attribute__((aligned(64)));
uint8_t vectors_out[VECTOR_BYTES] __attribute__((aligned(64)));
uint8_t vectors_own[VECTOR_BYTES] __attribute__((aligned(64)));
void (*piece)(void);

asm(".text\n"
    ".macro load name, n\n mov regs_in+8*\\n, %\\name\n .endm\n"
    ".macro store name, n\n mov %\\name, regs_out+8*\\n\n .endm\n"
    ".macro each do\n"
    " \\do rax, 0\n \\do rcx, 1\n \\do rdx, 2\n \\do rbx, 3\n \\do rsp, 4\n \\do rbp, 5\n \\do rsi, 6\n \\do rdi, 7\n"
    " \\do r8, 8\n \\do r9, 9\n \\do r10, 10\n \\do r11, 11\n \\do r12, 12\n \\do r13, 13\n \\do r14, 14\n \\do r15, 15\n"
    ".endm\n"
    "piece_run:\n"
    " push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n mov %rsp, own_sp\n"
    " mov mask, %eax\n xor %edx, %edx\n xrstor64 vectors_in\n"
    " push flags_in\n popf\n each load\n jmp *piece\n"
    "piece_end:\n"
    " each store\n mov own_sp, %rsp\n pushf\n cld\n pop flags_out\n"
    " mov mask, %eax\n xor %edx, %edx\n xsave64 vectors_out\n xrstor64 vectors_own\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
    ".globl helper, piece_run, piece_end\nhelper: inc %r9\n ret\n");

static sigjmp_buf ended;
static struct {
	int signal, code;
	uint64_t regs[REG_RIP + 1];
} end;

static void ends(int signal, siginfo_t *info, void *context)
{
	asm volatile("cld");
	asm volatile("xrstor64 %0" : : "m"(vectors_own), "a"(mask), "d"(0));
	end.signal = signal;
	end.code = info->si_code;
	memcpy(end.regs, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof(end.regs));
	siglongjmp(ended, 1);
}

static void fill(uint8_t *at, size_t len)
{
	uint64_t x = 88172645463325252;
	size_t i;

	for (i = 0; i < len; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(at + i, &x, sizeof(x));
	}
}

static uint64_t hash;

static void add(const void *what, size_t len)
{
	const char *at = what;
	size_t i;

	for (i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t x;

		memcpy(&x, at + i, sizeof(x));
		hash = (hash ^ x) * 0x100000001b3;
		hash ^= hash >> 32;
	}
}

/* Each register that is no address has a value of its own; what is called or returned to is on the stack. */
static void begin(void)
{
	const uint64_t regs[16] = { 0x1122334455667788, 3, 0x0123456789abcdef, (uintptr_t)memory + 512,
				    (uintptr_t)stack + 2048, (uintptr_t)stack + 3072, (uintptr_t)memory + 2048,
				    (uintptr_t)memory + 1536, 0x8877665544332211, 0xfedcba9876543210,
				    (uintptr_t)memory + 1024, 0x0b0b0b0b0b0b0b0b, 12, (uintptr_t)helper,
				    (uintptr_t)&helper_ptr, (uintptr_t)memory + 3072 };

	memcpy(regs_in, regs, sizeof(regs));
	memset(regs_out, 0, sizeof(regs_out));
	flags_out = 0;
	fill(memory, sizeof(memory));
	fill(stack, sizeof(stack));
	fill(data, sizeof(data));
	memset(vectors_out, 0, sizeof(vectors_out));
	memcpy(stack + 2048, &piece_end_ptr, sizeof(piece_end_ptr));
	memcpy(stack + 2056, &helper_ptr, sizeof(helper_ptr));
	hash = 0xcbf29ce484222325;
}

static void run(unsigned int number)
{
	begin();
	piece = pieces[number];
	end.signal = 0;
	if (!sigsetjmp(ended, 1)) {
		piece_run();
		/* Where the last x87 instruction was and what it read is not looked at, nor which vectors are unused. */
		memset(vectors_out + 6, 0, 18);
		memset(vectors_out + 512, 0, 64);
		add(regs_out, sizeof(regs_out));
		add(&flags_out, sizeof(flags_out));
		add(vectors_out, sizeof(vectors_out));
		add(stack, sizeof(stack));
	} else {
		add(&end, sizeof(end));
	}
	add(memory, sizeof(memory));
	add(data, sizeof(data));
	if (end.signal)
		printf("%u signal %d %016lx\n", number, end.signal, hash);
	else
		printf("%u ok %016lx\n", number, hash);
}

/* All vectors are in use, but for the header what stands in them is any. */
static void set_up(void)
{
	unsigned int a, d;

	asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	mask = a & 0xe7;	/* x87, SSE, AVX, AVX-512 (Intel SDM 1, 13.1) */
	asm volatile("xsave64 %0" : "=m"(vectors_own) : "a"(mask), "d"(0));
	memset(vectors_own + 512, 0, 64);
	fill(vectors_in, sizeof(vectors_in));
	memcpy(vectors_in, vectors_own, 32);
	memset(vectors_in + 512, 0, 64);
	memcpy(vectors_in + 512, &mask, sizeof(mask));
	memcpy(vectors_own + 512, &mask, sizeof(mask));
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP };
	stack_t alternative = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
	struct sigaction action = { .sa_sigaction = ends, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	unsigned int i, nr_rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 1;

	sigaltstack(&alternative, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	set_up();
	for (i = 0; i < nr_rounds * nr_pieces; i++)
		run(i % nr_pieces);
	return 0;
}
