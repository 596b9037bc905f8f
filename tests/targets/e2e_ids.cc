/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of odd shapes. e2e_ids NAME waits for a line on stdin, then does NAME:
 *
 *	pairs		200 ids begun by one thread and ended by another, at least 49 in flight
 *	labels		labels with control bytes, bad UTF-8, none, and of a megabyte
 *	many		10,000 labels
 *	recursion	50 x depth 1 to 4
 *	longjmp throw	300 calls, every third left by a jump, or by an exception
 *	nested		100 x (outer, in which 3 x inner)
 *	exits		20 threads that end inside of a request
 *	coroutines	50 calls on each of two stacks of one thread, which take turns inside of them
 *	split		100 calls of a function whose seldom half stands elsewhere, and jumps back
 *	conditional	16 functions, each left by a jump on one of the CPU's conditions, or by its return
 */
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <semaphore.h>
#include <ucontext.h>
#include <unistd.h>

#define PROBED extern "C" __attribute__((noinline, noclone, used))

static jmp_buf home;
static volatile int sink;

static void burn(int rounds)
{
	while (rounds--)
		sink++;
}

PROBED void request_begin(int unused, unsigned int id, const char *label)
{
	__asm__ volatile("" : : "r"(unused), "r"(id), "r"(label));
}

PROBED void request_end(int unused, unsigned int id)
{
	__asm__ volatile("" : : "r"(unused), "r"(id));
}

PROBED void labelled(const char *label)
{
	__asm__ volatile("" : : "r"(label));
	burn(100);
}

PROBED void recurse(int depth)
{
	burn(1000);
	if (depth > 1)
		recurse(depth - 1);
	burn(1000);
}

PROBED void jumps(int i)
{
	burn(1000);
	if (i % 3 == 0)
		longjmp(home, 1);
	burn(1000);
}

PROBED void is_done(int i)
{
	__asm__ volatile("" : : "r"(i));
}

PROBED void throws(int i)
{
	burn(1000);
	if (i % 3 == 0)
		throw i;
	burn(1000);
	is_done(i);
}

PROBED void inner(int i)
{
	burn(1000 + i);
}

PROBED void outer(void)
{
	burn(1000);
	for (int i = 0; i < 3; i++)
		inner(i);
	burn(1000);
}

PROBED void exits(void)
{
	burn(1000);
	pthread_exit(nullptr);
}

static ucontext_t scheduler, coroutines[2];

PROBED void yields(int i)
{
	burn(1000);
	swapcontext(&coroutines[i], &scheduler);
	burn(1000);
}

static void call_yields(int i)
{
	for (int turn = 0; turn < 50; turn++)
		yields(i);
}

static void take_turns()
{
	static char stacks[2][64 << 10];

	for (int i = 0; i < 2; i++) {
		getcontext(&coroutines[i]);
		coroutines[i].uc_stack.ss_sp = stacks[i];
		coroutines[i].uc_stack.ss_size = sizeof(stacks[i]);
		coroutines[i].uc_link = &scheduler;
		makecontext(&coroutines[i], (void (*)())call_yields, 1, i);
	}
	for (int turn = 0; turn < 2 * 51; turn++)
		swapcontext(&scheduler, &coroutines[turn % 2]);
}

/* What clang makes of `if (x) return other();` where size counts: no call, no other jump. */
#define CONDITIONS(X)                                                                              \
	X(o) X(no) X(b) X(ae) X(e) X(ne) X(be) X(a) X(s) X(ns) X(p) X(np) X(l) X(ge) X(le) X(g)
#define CONDITIONAL(cc)                                                                            \
	__asm__(".globl left_" #cc "\n.type left_" #cc ", @function\nleft_" #cc ":\n"              \
		"cmp %esi, %edi\nj" #cc " another\nret\n.size left_" #cc ", . - left_" #cc "\n");     \
	extern "C" void left_##cc(int a, int b);
__asm__(".text\n.type another, @function\nanother:\nret\n.size another, . - another\n");
CONDITIONS(CONDITIONAL)

/* As gcc does with what is unlikely: NAME.cold. It goes back, or leaves the function. */
__asm__(".globl split\n.type split, @function\nsplit:\n"
	"test $1, %edi\njne split.cold\n1: ret\n.size split, . - split\n"
	".type split.cold, @function\nsplit.cold:\ntest $2, %edi\nje 1b\nret\n.size split.cold, . - split.cold\n");
extern "C" void split(int i);

static void conditional()
{
	static const int values[] = { 0, 1, 2, 3, -1, -2, 2147483647, -2147483647 - 1 };

	for (int a : values)
		for (int b : values) {
#define CALL(cc) left_##cc(a, b);
			CONDITIONS(CALL)
		}
}

static sem_t begun;

static void *end_them(void *)
{
	for (unsigned int id = 0; id < 200; id++) {
		sem_wait(&begun);
		/* In another order than they began: each two change places. */
		request_end(0, 1000 + (id ^ 1));
	}
	return nullptr;
}

static void pairs()
{
	pthread_t thread;

	sem_init(&begun, 0, 0);
	if (pthread_create(&thread, nullptr, end_them, nullptr))
		exit(1);
	for (unsigned int id = 0; id < 200; id++) {
		request_begin(0, 1000 + id, id % 2 ? "/odd" : "/even");
		burn(20000);
		if (id >= 49)
			sem_post(&begun);
	}
	for (int i = 0; i < 49; i++)
		sem_post(&begun);
	pthread_join(thread, nullptr);
}

static void labels()
{
	char *megabyte = (char *)malloc((1 << 20) + 1);

	memset(megabyte, 'x', 1 << 20);
	megabyte[1 << 20] = '\0';
	for (int i = 0; i < 5; i++) {
		labelled("tab\there\nbell\a\x1b[31mred");
		labelled("bad \xff\xfe utf-8 \xc3(");
		labelled("quote \" backslash \\ </script>");
		labelled("");
		labelled(nullptr);
		labelled(megabyte);
		labelled("gr\xc3\xbc\xc3\x9f""e");
	}
}

static void many()
{
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 10000; i++) {
			char label[32];

			snprintf(label, sizeof(label), "/%c%c%c%c", 'a' + i % 10, 'a' + i / 10 % 10,
				 'a' + i / 100 % 10, 'a' + i / 1000);
			labelled(label);
		}
}

static void call_throws(int i)
{
	try {
		throws(i);
	} catch (int) {
	}
}

static void *call_exits(void *)
{
	exits();
	return nullptr;
}

static void call_jumps(volatile int i)
{
	if (!setjmp(home))
		jumps(i);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char line[16];

	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	if (!strcmp(what, "pairs"))
		pairs();
	if (!strcmp(what, "labels"))
		labels();
	if (!strcmp(what, "many"))
		many();
	for (int i = 0; i < 100 && !strcmp(what, "split"); i++)
		split(i);
	if (!strcmp(what, "conditional"))
		conditional();
	for (int i = 0; i < 50 && !strcmp(what, "recursion"); i++)
		recurse(1 + i % 4);
	for (int i = 0; i < 300 && !strcmp(what, "longjmp"); i++)
		call_jumps(i);
	for (int i = 0; i < 300 && !strcmp(what, "throw"); i++)
		call_throws(i);
	for (int i = 0; i < 100 && !strcmp(what, "nested"); i++)
		outer();
	for (int i = 0; i < 20 && !strcmp(what, "exits"); i++) {
		pthread_t thread;

		pthread_create(&thread, nullptr, call_exits, nullptr);
		pthread_join(thread, nullptr);
	}
	if (!strcmp(what, "coroutines"))
		take_turns();
	return 0;
}
