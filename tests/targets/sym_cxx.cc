/* SPDX-License-Identifier: Apache-2.0 */
/* What check_symbolizer.c looks up in C++: templates, lambdas, constructors, exceptions. */
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace shop
{

struct item {
	std::string name;
	int price;
};

class basket
{
public:
	explicit basket(int limit) : limit(limit) {}
	virtual ~basket() {}
	virtual int total() const;
	void add(const item &i);

private:
	std::vector<item> items;
	std::map<std::string, int> counts;
	int limit;
};

int basket::total() const
{
	int sum = 0;

	for (const auto &i : items)
		sum += i.price;
	return sum;
}

void basket::add(const item &i)
{
	if (items.size() >= static_cast<size_t>(limit))
		throw std::length_error("full: " + i.name);
	items.push_back(i);
	counts[i.name]++;
}

template <typename T> struct counter {
	T value;
	__attribute__((noinline)) T bump(T by)
	{
		value += by;
		std::printf("%d\n", static_cast<int>(value));
		return value;
	}
};

} // namespace shop

namespace
{

__attribute__((noinline)) int hidden(shop::basket &b, int n)
{
	struct local {
		__attribute__((noinline)) static int twice(int x)
		{
			std::printf("%d\n", x);
			return 2 * x;
		}
	};
	auto price = [n](int i) { return local::twice(i) + n; };

	for (int i = 0; i < n; i++)
		b.add({ std::to_string(i), price(i) });
	return b.total();
}

} // namespace

extern "C" int sym_cxx(int n)
{
	shop::counter<long> c{ 1 };
	std::unique_ptr<shop::basket> b(new shop::basket(n));
	std::vector<int> v{ n, 3, 2, 1 };

	std::sort(v.begin(), v.end(), [](int x, int y) { return x > y; });
	try {
		return hidden(*b, v[0]) + static_cast<int>(c.bump(n));
	} catch (const std::exception &e) {
		std::puts(e.what());
		return -1;
	}
}

int main(int argc, char **)
{
	return sym_cxx(argc) == 99;
}
