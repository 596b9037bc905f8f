/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of HTTP with a thread a connection, which has work done by others: for /made by two threads that are made for
 * it, for /pool by two that wait for work. /self it does itself. Each in a function of its own.
 */
#include <arpa/inet.h>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <unistd.h>

#define noinline __attribute__((noinline))

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

static std::mutex mutex;
static std::condition_variable wanted;
static std::deque<std::function<void()>> work;

static void pool()
{
	for (;;) {
		std::unique_lock<std::mutex> lock(mutex);
		std::function<void()> next;

		wanted.wait(lock, [] { return !work.empty(); });
		next = std::move(work.front());
		work.pop_front();
		lock.unlock();
		next();
	}
}

static std::future<void> hand(int n)
{
	auto done = std::make_shared<std::promise<void>>();
	std::lock_guard<std::mutex> lock(mutex);

	work.push_back([=] {
		burn_in_pool(n);
		done->set_value();
	});
	wanted.notify_one();
	return done->get_future();
}

static void answer(const char *asked)
{
	enum { ROUNDS = 1000000 };

	if (strstr(asked, "GET /made")) {
		auto one = std::async(std::launch::async, burn_in_made, ROUNDS);
		auto other = std::async(std::launch::async, burn_in_made, ROUNDS);

		one.get();
		other.get();
	} else if (strstr(asked, "GET /pool")) {
		auto one = hand(ROUNDS), other = hand(ROUNDS);

		one.get();
		other.get();
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
		std::thread(pool).detach();
	printf("port %d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;)
		std::thread(serve, accept(listener, nullptr, nullptr)).detach();
}
