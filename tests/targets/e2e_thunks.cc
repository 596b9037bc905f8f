/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls through a second base class, whose thunks either go on to the function or have its body in them:
 * -O2 does the one to far(), which must not be inlined, and the other to near(). What self() gives back is adjusted, too. down() calls itself, once.
 *
 * e2e_thunks: "ready", then 100 calls of each for a line of input
 */
#include <cstdio>

#define noinline __attribute__((noinline))

struct first {
	virtual int nothing() { return 0; }
	int a = 1;
};

struct second {
	virtual int far(int n) = 0;
	virtual int near(int n) = 0;
	virtual second *self() = 0;
	virtual int down(int n) = 0;
	int b = 2;
};

struct both : first, second {
	noinline int far(int n) override;
	int near(int n) override;
	noinline both *self() override;
	int down(int n) override;
};

struct shared : virtual second {
	noinline int far(int n) override;
	int near(int n) override;
	noinline shared *self() override;
	int down(int n) override;
};

int both::far(int n)
{
	__asm__ volatile("" ::: "memory");
	return n + b;
}

int both::near(int n)
{
	return n * b;
}

int shared::far(int n)
{
	__asm__ volatile("" ::: "memory");
	return n - b;
}

int shared::near(int n)
{
	return n ^ b;
}

both *both::self()
{
	__asm__ volatile("" ::: "memory");
	return this;
}

shared *shared::self()
{
	__asm__ volatile("nop" ::: "memory");
	return this;
}

int both::down(int n)
{
	return n > 0 ? both::down(n - 100) + b + n : b;
}

int shared::down(int n)
{
	return n > 0 ? shared::down(n - 100) * b + n : b;
}

static noinline int call(second *s, int n)
{
	return s->far(n) + s->near(n) + s->self()->b + s->down(n);
}

int main(void)
{
	both x;
	shared y;
	int i, sum = 0;

	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 0;
	for (i = 0; i < 100; i++)
		sum += call(&x, i) + call(&y, i);
	printf("done %d\n", sum);
	fflush(stdout);
	return getchar() != EOF;
}
