/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that are left in every way there is. Each of the counted functions adds to a number of its
 * own, so that the program knows what was called. A mode is run when a line comes in, "NAME CALLS PRIMITIVE"
 * of each function is printed at its end, and then "done".
 *
 * e2e_calls MODE [N]: recursion, longjmp, signals, sigaltstack, contexts, threads, fork, vfork, exec,
 * dlclose FILE, deep, left, wide, spin, malloc, and with -DLIKE_GO guarded, moving
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef LIKE_GO
__asm__(".pushsection .note.go.buildid,\"a\"\n.long 0\n.popsection\n");
/* As Go's functions, guarded() begins with a check of its stack, and again when the stack was made larger. */
__asm__(".pushsection .text\n"
	".type guarded, @function\n"
	"guarded:\n"
	"	cmp stack_guard(%rip), %rsp\n"
	"	jbe 1f\n"
	"	sub $8, %rsp\n"
	"	call count_guarded\n"
	"	add $8, %rsp\n"
	"	ret\n"
	"1:	call grow_stack.abi0\n"
	"	jmp guarded\n"
	".size guarded, . - guarded\n"
	".type grow_stack.abi0, @function\n"
	"grow_stack.abi0:\n"
	"	movq $0, stack_guard(%rip)\n"
	"	ret\n"
	".size grow_stack.abi0, . - grow_stack.abi0\n"
	".popsection\n");
/*
 * And moving() begins on one stack and returns on another, as far from its upper end; R14 points to the bounds of the
 * one that is in use.
 */
__asm__(".pushsection .text\n"
	".type moving, @function\n"
	"moving:\n"
	"	sub $8, %rsp\n"
	"	call count_moving\n"
	"	add $8, %rsp\n"
	"	pop %rax\n"
	"	mov 8(%r14), %rsp\n"
	"	push %rax\n"
	"	ret\n"
	".size moving, . - moving\n"
	".type call_moving, @function\n"
	"call_moving:\n"
	"	push %rbx\n"
	"	push %r14\n"
	"	mov %rsp, %rbx\n"
	"	lea goroutine(%rip), %r14\n"
	"	mov 8(%r14), %rsp\n"
	"	call moving\n"
	"	mov %rbx, %rsp\n"
	"	pop %r14\n"
	"	pop %rbx\n"
	"	ret\n"
	".size call_moving, . - call_moving\n"
	".popsection\n");
struct bounds {
	char *low, *high;
};
extern struct bounds goroutine __attribute__((visibility("hidden")));
void call_moving(void);
void count_moving(void);
uint64_t stack_guard __attribute__((visibility("hidden"))) = UINT64_MAX;
void guarded(void);
void count_guarded(void);
#endif

#define FUNCTIONS(X) X(outer) X(middle) X(leaf) X(jumper) X(handler) X(raiser) X(coroutine) X(worker) X(deep) X(guarded) X(moving)
#define DEFINE_COUNT(name) static uint64_t nr_##name, primitive_##name;
FUNCTIONS(DEFINE_COUNT)
#define CALLED(name, is_primitive)                                                                 \
	(__atomic_fetch_add(&nr_##name, 1, __ATOMIC_RELAXED),                                      \
	 __atomic_fetch_add(&primitive_##name, (is_primitive), __ATOMIC_RELAXED))
#define noinline __attribute__((noinline, noclone))

#define PRINT_COUNT(name)                                                                          \
	if (nr_##name)                                                                             \
		printf(#name " %llu %llu\n", (unsigned long long)nr_##name,                        \
		       (unsigned long long)primitive_##name);

static void print_counts(void)
{
	FUNCTIONS(PRINT_COUNT)
	printf("done\n");
	fflush(stdout);
}

/* Empty, and neither the first nor the last thing that its caller does. */
static noinline void leaf(void)
{
	CALLED(leaf, 1);
	__asm__ volatile("" ::: "memory");
}

static noinline void middle(int n)
{
	int i;

	CALLED(middle, 1);
	for (i = 0; i < n; i++)
		leaf();
	__asm__ volatile("" ::: "memory");
}

/* depth calls of itself, the first of which is primitive. */
static noinline void outer(int depth, int is_inner)
{
	CALLED(outer, !is_inner);
	if (depth > 1)
		outer(depth - 1, 1);
	middle(2);
	__asm__ volatile("" ::: "memory");
}

static void run_recursion(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		outer(1 + i % 5, 0);
		leaf();
	}
}

/* ---- longjmp ---- */

static jmp_buf back;

#pragma GCC diagnostic ignored "-Winfinite-recursion"
/* Jumps out of all of its activations: the next call is primitive again. */
static noinline void jumper(int depth, int is_inner)
{
	CALLED(jumper, !is_inner);
	leaf();
	if (depth == 1)
		longjmp(back, 1);
	jumper(depth - 1, 1);
	__asm__ volatile("" ::: "memory");
}

static void run_longjmp(int n)
{
	volatile int i;

	for (i = 0; i < n; i++)
		if (!setjmp(back))
			jumper(1 + i % 4, 0);
}

/* ---- signals ---- */

static int is_on_own_stack;

/*
 * The handler calls what it interrupts: recursion, by what is on the stack. On a stack of its own the
 * handler has no caller.
 */
static noinline void raiser(int is_inner)
{
	CALLED(raiser, !is_inner || is_on_own_stack);
	if (!is_inner)
		raise(SIGUSR1);
	leaf();
	__asm__ volatile("" ::: "memory");
}

static noinline void handler(int signal)
{
	(void)signal;
	CALLED(handler, 1);
	raiser(1);
	outer(2, 0);
	__asm__ volatile("" ::: "memory");
}

static void run_signals(int n, int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	stack_t stack = { .ss_size = 65536 };
	int i;

	is_on_own_stack = flags & SA_ONSTACK;
	if (is_on_own_stack) {
		stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		sigaltstack(&stack, NULL);
	}
	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < n; i++) {
		raiser(0);
		middle(1);
	}
}

/* ---- coroutines: each on a mapping of its own, with a guard page below ---- */

enum { NR_COROUTINES = 3, COROUTINE_BYTES = 65536 };

static ucontext_t main_context, contexts[NR_COROUTINES];

/* Recursive, and switched away from in the midst of it. */
static noinline void coroutine(int self, int depth)
{
	CALLED(coroutine, depth == 0);
	leaf();
	swapcontext(&contexts[self], &main_context);
	if (depth < 3)
		coroutine(self, depth + 1);
	middle(1);
	__asm__ volatile("" ::: "memory");
}

static void begin_coroutine(int self)
{
	for (;;)
		coroutine(self, 0);
}

static void run_contexts(int n)
{
	int i;

	for (i = 0; i < NR_COROUTINES; i++) {
		char *at = mmap(NULL, 2 * COROUTINE_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		mprotect(at, COROUTINE_BYTES, PROT_NONE);
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = at + COROUTINE_BYTES;
		contexts[i].uc_stack.ss_size = COROUTINE_BYTES;
		makecontext(&contexts[i], (void (*)(void))begin_coroutine, 1, i);
	}
	for (i = 0; i < n; i++) {
		outer(1 + i % 3, 0);
		swapcontext(&main_context, &contexts[i % NR_COROUTINES]);
	}
}

/* ---- threads and processes ---- */

static noinline void *worker(void *n)
{
	int i;

	CALLED(worker, 1);
	for (i = 0; i < (int)(intptr_t)n; i++)
		outer(2, 0);
	return NULL;
}

static void run_threads(int n)
{
	pthread_t threads[64];
	int i;

	for (i = 0; i < 64; i++)
		pthread_create(&threads[i], NULL, worker, (void *)(intptr_t)n);
	for (i = 0; i < 64; i++)
		pthread_join(threads[i], NULL);
}

/* What the children call is not printed. */
static void run_fork(int n)
{
	int i, status;

	for (i = 0; i < n; i++) {
		pid_t child;

		fflush(stdout);
		outer(2, 0);
		child = fork();
		if (!child) {
			middle(3);
			_exit(0);
		}
		waitpid(child, &status, 0);
	}
}

static void run_vfork(int n)
{
	int i, status;

	for (i = 0; i < n; i++) {
		pid_t child = vfork();

		if (!child) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		waitpid(child, &status, 0);
		if (status)
			printf("vfork: %x\n", status);
		outer(2, 0);
	}
}

/* A library that is mapped and gone again, its function called in between. */
static void run_dlclose(int n, const char *file)
{
	int i, sum = 0;

	for (i = 0; i < n; i++) {
		void *library = dlopen(file, RTLD_NOW);
		int (*plugged)(int) = library ? (int (*)(int))dlsym(library, "plugged") : NULL;

		if (!plugged) {
			printf("dlopen: %s\n", dlerror());
			return;
		}
		sum += plugged(i);
		dlclose(library);
		leaf();
	}
	printf("plugged %d\n", sum);
}

/* Deeper than calls are told apart, and back. */
static noinline void deep(int depth, int is_inner)
{
	CALLED(deep, !is_inner);
	if (depth > 1)
		deep(depth - 1, 1);
	__asm__ volatile("" ::: "memory");
}

/* Where a deep one was there is a hole now that is written here and there; and on top of it another one runs. */
static noinline void run_over(int at)
{
	volatile char hole[4096];
	int i;

	for (i = 0; i < 16; i++)
		hole[at + i] = 1;
	outer(4, 0);
	__asm__ volatile("" ::: "memory");
}

static void run_left(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		deep(30, 0);
		run_over(i * 8 % 4080);
	}
}

static void run_spin(int n)
{
	int i;

	for (i = 0; i < n; i++)
		middle(10000);
}

static void run_malloc(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		void *volatile p = malloc(100 + (size_t)i % 50);

		free(p);
	}
}

#ifdef LIKE_GO
/* Of three calls one finds its stack too small. */
void count_guarded(void)
{
	CALLED(guarded, 1);
	if (nr_guarded % 3 == 0)
		stack_guard = UINT64_MAX;
}
static char stacks[2][65536] __attribute__((aligned(16)));
struct bounds goroutine = { stacks[0], stacks[0] + sizeof(stacks[0]) };

void count_moving(void)
{
	char *next = stacks[++nr_moving % 2];

	primitive_moving++;
	goroutine = (struct bounds){ next, next + sizeof(stacks[0]) };
}
#else
static void guarded(void)
{
}

static void call_moving(void)
{
}
#endif

static void run_guarded(int n)
{
	int i;

	for (i = 0; i < n; i++)
		guarded();
}

static void run_moving(int n)
{
	int i;

	for (i = 0; i < n; i++)
		call_moving();
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 10, i;
	char line[64];

	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(mode, "recursion"))
			run_recursion(n);
		else if (!strcmp(mode, "longjmp"))
			run_longjmp(n);
		else if (!strcmp(mode, "signals"))
			run_signals(n, 0);
		else if (!strcmp(mode, "sigaltstack"))
			run_signals(n, SA_ONSTACK);
		else if (!strcmp(mode, "contexts"))
			run_contexts(n);
		else if (!strcmp(mode, "threads"))
			run_threads(n);
		else if (!strcmp(mode, "fork"))
			run_fork(n);
		else if (!strcmp(mode, "vfork"))
			run_vfork(n);
		else if (!strcmp(mode, "dlclose"))
			run_dlclose(n, argv[3]);
		else if (!strcmp(mode, "spin"))
			run_spin(n);
		else if (!strcmp(mode, "malloc"))
			run_malloc(n);
		else if (!strcmp(mode, "guarded"))
			run_guarded(n);
		else if (!strcmp(mode, "moving"))
			run_moving(n);
		else if (!strcmp(mode, "deep"))
			for (i = 0; i < n; i++)
				deep(400 + 100 * i, 0);
		else if (!strcmp(mode, "left"))
			run_left(n);
		else if (!strcmp(mode, "exec")) {
			run_recursion(n);
			print_counts();
			execl("/proc/self/exe", "e2e_calls", "recursion", argv[2], NULL);
		}
		print_counts();
	}
	return 0;
}
