/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up the return address of a function that runs, as OCaml's garbage collector does with each on the stack: one that
 * is in no table of its own ends such a program. Prints how many of 100 were known.
 */
#include <stdint.h>
#include <stdio.h>

/* By which a program of OCaml's is known. */
extern const void *const caml_frametable[];
const void *const caml_frametable[1];

extern char __executable_start, etext;

__attribute__((noinline)) int scans(const uintptr_t *frame);
__attribute__((noinline)) int scanned(void);

int scans(const uintptr_t *frame)
{
	return frame[1] >= (uintptr_t)&__executable_start && frame[1] < (uintptr_t)&etext;
}

int scanned(void)
{
	int is_known = scans(__builtin_frame_address(0));

	/* No tail call. */
	asm volatile("" : "+r"(is_known));
	return is_known;
}

int main(void)
{
	int i, nr_known = 0;

	for (i = 0; i < 100; i++)
		nr_known += scanned();
	printf("%d\n", nr_known);
	return 0;
}
