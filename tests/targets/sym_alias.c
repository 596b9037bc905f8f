/* SPDX-License-Identifier: Apache-2.0 */
/* What check_symbolizer.c looks up: functions with several names. */
#include <stdio.h>

int __sym_internal(int x);
int sym_public(int x);
int sym_plain(int x);
int sym_plain_by_another_name(int x);
int sym_strong(int x);
int sym_weak_but_longer(int x);

__attribute__((noinline)) int __sym_internal(int x)
{
	return printf("%d\n", x);
}

__attribute__((noinline)) int sym_plain(int x)
{
	return printf("%x\n", x);
}

__attribute__((noinline)) int sym_strong(int x)
{
	return printf("%o\n", x);
}

extern __typeof(__sym_internal) sym_public __attribute__((alias("__sym_internal")));
extern __typeof(sym_plain) sym_plain_by_another_name __attribute__((alias("sym_plain")));
extern __typeof(sym_strong) sym_weak_but_longer __attribute__((weak, alias("sym_strong")));

int main(int argc, char **argv)
{
	(void)argv;
	return sym_public(argc) + sym_plain_by_another_name(argc) + sym_weak_but_longer(argc);
}
