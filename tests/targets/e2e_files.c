/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Works in one function for ever, or until a line comes on stdin:
 *
 *	e2e_files loop		in SPIN(), a function of the file
 *	e2e_files plugin LIB	in SPIN() of a library, which it deletes after it has loaded it
 *	e2e_files jit		in code of its own making, which /tmp/perf-PID.map calls jit_spin
 *	e2e_files memfd		the same in shared memory that has a file descriptor
 *	e2e_files clock		in clock_gettime(2), that is in the vdso
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef SPIN
#define SPIN spin
#endif
#define STRING_(x) #x
#define STRING(x) STRING_(x)

void SPIN(unsigned int rounds);

__attribute__((noinline, noclone)) void SPIN(unsigned int rounds)
{
	volatile unsigned int i;

	for (i = 0; i < rounds; i++)
		;
}

static void clock_loop(unsigned int rounds)
{
	struct timespec t;

	for (rounds /= 10; rounds; rounds--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void *make_code(int is_memfd)
{
#ifdef __x86_64__
	/* dec %edi; jnz -4; ret */
	static const unsigned char code[] = { 0xff, 0xcf, 0x75, 0xfc, 0xc3 };
#else
	/* subs w0, w0, #1; b.ne -4; ret */
	static const unsigned int code[] = { 0x71000400, 0x54ffffe1, 0xd65f03c0 };
#endif
	int fd = is_memfd ? memfd_create("jit", 0) : -1;
	char name[64];
	void *at;
	FILE *map;

	if (is_memfd && ftruncate(fd, 4096))
		return NULL;
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		  is_memfd ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	memcpy(at, code, sizeof(code));
	__builtin___clear_cache(at, (char *)at + sizeof(code));
	snprintf(name, sizeof(name), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(name, "w");
	fprintf(map, "%lx %zx jit_spin\n", (unsigned long)at, sizeof(code));
	fclose(map);
	return at;
}

int main(int argc, char **argv)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	const char *mode = argc > 1 ? argv[1] : "loop";
	void (*work)(unsigned int) = SPIN;

	if (!strcmp(mode, "clock"))
		work = clock_loop;
	if (!strcmp(mode, "jit") || !strcmp(mode, "memfd"))
		*(void **)&work = make_code(!strcmp(mode, "memfd"));
	if (!strcmp(mode, "plugin") && argc > 2) {
		void *lib = dlopen(argv[2], RTLD_NOW);

		*(void **)&work = lib ? dlsym(lib, STRING(SPIN)) : NULL;
		unlink(argv[2]);
	}
	if (!work)
		return 1;
	puts("ready");
	fflush(stdout);
	while (!poll(&in, 1, 0))
		work(1000000);
	return 0;
}
