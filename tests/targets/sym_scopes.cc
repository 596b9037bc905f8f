/* SPDX-License-Identifier: Apache-2.0 */
/* What check_symbolizer.c looks up: functions that gcc gives no linkage name in DWARF, though they have one. */
#include <cstdio>

#define APART __attribute__((noinline, noclone))

namespace shop
{

extern "C" APART void shop_c_name(int x)
{
	std::printf("%d\n", x);
}

static APART void shop_static(int x)
{
	std::printf("%d\n", x + 1);
}

namespace
{

template <typename T> struct till {
	APART void ring(T x) { std::printf("%d\n", x + 2); }
	struct drawer {
		static APART void open(T x) { std::printf("%d\n", x + 3); }
	};
};

} // namespace

APART int day(int n)
{
	struct local {
		static APART int twice(int x)
		{
			std::printf("%d\n", x);
			return 2 * x;
		}
	};
	auto price = [n](int i) APART { return local::twice(i) + n; };

	shop_c_name(n);
	shop_static(n);
	till<int>().ring(n);
	till<int>::drawer::open(n);
	return price(n);
}

} // namespace shop

int main(int argc, char **)
{
	return shop::day(argc);
}
