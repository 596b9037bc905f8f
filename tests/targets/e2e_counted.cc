/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of C++, the same in each run: threads, templates, virtual functions, lambdas, recursion, exceptions
 * that pass several functions, and what nobody sees outside of its file.
 */
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define noinline __attribute__((noinline))

namespace shapes {

struct shape {
	virtual ~shape() = default;
	virtual int area(int n) const = 0;
};

struct square : shape {
	noinline int area(int n) const override
	{
		return n * n;
	}
};

struct strip : shape {
	noinline int area(int n) const override
	{
		return n < 2 ? n : area(n - 1) + 1;
	}
};

template <typename T> noinline T sum(const std::vector<T> &all)
{
	T total{};

	for (const T &one : all)
		total += one;
	return total;
}

}

static noinline int thrower(int n)
{
	if (n % 3 == 0)
		throw std::runtime_error("three");
	return n;
}

static noinline int between(int n)
{
	std::string held(static_cast<size_t>(n % 7 + 1), 'x');

	return thrower(n) + static_cast<int>(held.size());
}

static noinline int catcher(int n)
{
	try {
		return between(n);
	} catch (const std::runtime_error &) {
		return -n;
	}
}

static noinline int fib(int n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static noinline bool is_even(int n);

static noinline bool is_odd(int n)
{
	return n && is_even(n - 1);
}

static noinline bool is_even(int n)
{
	return !n || is_odd(n - 1);
}

static inline __attribute__((always_inline)) int inlined_everywhere(int n)
{
	return n * 3 + 1;
}

static noinline void work(int id, long *ret)
{
	std::vector<std::unique_ptr<shapes::shape>> all;
	std::map<std::string, int> by_name;
	long total = 0;

	all.push_back(std::make_unique<shapes::square>());
	all.push_back(std::make_unique<shapes::strip>());
	for (int i = 0; i < 40; i++) {
		auto twice = [&](int n) noinline { return 2 * n; };

		for (const auto &one : all)
			total += one->area(i % 9);
		total += catcher(i) + twice(i) + is_even(i);
		by_name["n" + std::to_string(i % 5)] += i;
	}
	for (const auto &[name, n] : by_name)
		total += n + static_cast<long>(name.size());
	total += fib(12 + id % 3) + inlined_everywhere(id);
	total += shapes::sum(std::vector<int>{ 1, 2, 3 });
	total += static_cast<long>(shapes::sum(std::vector<double>{ 1.5, 2.5 }));
	*ret = total;
}

int main()
{
	std::vector<std::thread> threads;
	long totals[8] = {};
	long sum = 0;

	for (int i = 0; i < 8; i++)
		threads.emplace_back(work, i, &totals[i]);
	for (auto &thread : threads)
		thread.join();
	for (long total : totals)
		sum += total;
	std::printf("%ld\n", sum);
	return 0;
}
