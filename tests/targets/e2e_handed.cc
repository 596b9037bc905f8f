/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of HTTP with a thread a connection, which has work done by others: for /made by two threads that are made for
 * it, for /pool by two that wait for work, for /timed by two that wait for no longer than a while, by either clock, and in
 * the middle of their work for something else, and by one that is parked as Rust's are. /self it does itself. Each in a function of its own.
 */
#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <linux/futex.h>
#include <mutex>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#define noinline __attribute__((noinline))

enum { ROUNDS = 1000000 };

static noinline void burn_in_made(int n)
{
	for (volatile int i = 0; i < n; i = i + 1)
		;
}

static noinline void burn_in_pool(int n)
{
	for (volatile int i = 1; i <= n; i = i + 1)
		;
}

static noinline void burn_in_self(int n)
{
	for (volatile int i = 2; i < n + 2; i = i + 1)
		;
}

static noinline void burn_in_timed(int n)
{
	for (volatile int i = 3; i < n + 3; i = i + 1)
		;
}

enum wait { FOR_EVER, STEADY, REALTIME };

struct pool {
	std::mutex mutex;
	std::condition_variable wanted;
	std::deque<std::function<void()>> work;

	void wait_once(std::unique_lock<std::mutex> &lock, enum wait wait)
	{
		std::chrono::seconds while_(10);

		if (wait == FOR_EVER)
			wanted.wait(lock);
		else if (wait == STEADY)
			wanted.wait_until(lock, std::chrono::steady_clock::now() + while_);
		else
			wanted.wait_until(lock, std::chrono::system_clock::now() + while_);
	}

	void run(enum wait wait)
	{
		for (;;) {
			std::unique_lock<std::mutex> lock(mutex);
			std::function<void()> next;

			while (work.empty())
				wait_once(lock, wait);
			next = std::move(work.front());
			work.pop_front();
			lock.unlock();
			next();
		}
	}

	std::future<void> hand(std::function<void()> what)
	{
		auto done = std::make_shared<std::promise<void>>();
		std::lock_guard<std::mutex> lock(mutex);

		work.push_back([=] {
			what();
			done->set_value();
		});
		wanted.notify_one();
		return done->get_future();
	}
};

/* They outlive their threads, which the process ends with. */
static struct pool &pool = *new struct pool, &steady = *new struct pool, &realtime = *new struct pool;

/* Half of it behind a wait for who has asked. */
static std::future<void> hand_in_halves(struct pool &to, int n, std::shared_future<void> half)
{
	return to.hand([=] {
		burn_in_timed(n / 2);
		half.wait_for(std::chrono::seconds(10));
		burn_in_timed(n / 2);
	});
}

static std::atomic<int> is_parked;
static std::shared_ptr<std::promise<void>> unparked;

static void be_parked()
{
	const struct timespec while_ = { 10, 0 };

	for (;;) {
		while (is_parked)
			syscall(SYS_futex, &is_parked, FUTEX_WAIT_PRIVATE, 1, &while_);
		burn_in_timed(ROUNDS);

		auto done = unparked;

		is_parked = 1;
		done->set_value();
	}
}

/* One at a time. */
static std::future<void> unpark()
{
	unparked = std::make_shared<std::promise<void>>();

	auto done = unparked->get_future();

	is_parked = 0;
	syscall(SYS_futex, &is_parked, FUTEX_WAKE_PRIVATE, 1);
	return done;
}

static void answer_timed(int n)
{
	static std::mutex one_at_a_time;
	std::lock_guard<std::mutex> lock(one_at_a_time);
	auto third = unpark();
	std::promise<void> half;
	std::shared_future<void> other_half(half.get_future());
	auto one = hand_in_halves(steady, n, other_half), other = hand_in_halves(realtime, n, other_half);

	usleep(10000);
	half.set_value();
	one.get();
	other.get();
	third.get();
}

static void answer(const char *asked)
{
	if (strstr(asked, "GET /made")) {
		auto one = std::async(std::launch::async, burn_in_made, ROUNDS);
		auto other = std::async(std::launch::async, burn_in_made, ROUNDS);

		one.get();
		other.get();
	} else if (strstr(asked, "GET /pool")) {
		auto one = pool.hand([] { burn_in_pool(ROUNDS); }), other = pool.hand([] { burn_in_pool(ROUNDS); });

		one.get();
		other.get();
	} else if (strstr(asked, "GET /timed")) {
		answer_timed(ROUNDS);
	} else {
		burn_in_self(ROUNDS);
	}
}

static void serve(int client)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
	char asked[4096];
	ssize_t len;

	while ((len = read(client, asked, sizeof(asked) - 1)) > 0) {
		asked[len] = 0;
		answer(asked);
		if (write(client, text, sizeof(text) - 1) < 0)
			break;
	}
	close(client);
}

int main()
{
	struct sockaddr_in a = {};
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0), i;

	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, reinterpret_cast<struct sockaddr *>(&a), len) || listen(listener, 16) ||
	    getsockname(listener, reinterpret_cast<struct sockaddr *>(&a), &len))
		return 1;
	for (i = 0; i < 2; i++)
		std::thread([] { pool.run(FOR_EVER); }).detach();
	std::thread([] { steady.run(STEADY); }).detach();
	std::thread([] { realtime.run(REALTIME); }).detach();
	is_parked = 1;
	std::thread(be_parked).detach();
	printf("port %d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;)
		std::thread(serve, accept(listener, nullptr, nullptr)).detach();
}
