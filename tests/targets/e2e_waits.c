/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection after the other, without ever sleeping between them: who comes next is there already, in an
 * epoll, poll, select or accept. Works in handle() for a request, and in between() before it reads one.
 * argv[1]: how it waits.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

/* Some 20 ms. */
enum { ROUNDS = 30 * 1000 * 1000 };

#define WORK(name)                                                                                 \
	__attribute__((noinline)) void name(void);                                                 \
	void name(void)                                                                            \
	{                                                                                          \
		volatile unsigned int i;                                                           \
                                                                                                   \
		for (i = 0; i < ROUNDS; i++)                                                       \
			;                                                                          \
	}
WORK(handle)
WORK(between)

static void wait_for(const char *how, int listening, int epoll)
{
	struct pollfd p = { .fd = listening, .events = POLLIN };
	struct epoll_event event;
	fd_set set;

	if (!strcmp(how, "epoll")) {
		epoll_wait(epoll, &event, 1, -1);
	} else if (!strcmp(how, "poll")) {
		poll(&p, 1, -1);
	} else if (!strcmp(how, "select")) {
		FD_ZERO(&set);
		FD_SET(listening, &set);
		select(listening + 1, &set, NULL, NULL, NULL);
	}
}

int main(int argc, char **argv)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLIN };
	socklen_t len = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
	char bytes[1000];

	if (argc != 2 || bind(listening, (struct sockaddr *)&address, sizeof(address)) || listen(listening, 100) ||
	    getsockname(listening, (struct sockaddr *)&address, &len) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event))
		return EXIT_FAILURE;
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	raise(SIGSTOP);		/* until the clients are there */
	for (;;) {
		int fd;

		wait_for(argv[1], listening, epoll);
		if (strcmp(argv[1], "accept"))
			between();
		fd = accept(listening, NULL, NULL);
		if (!strcmp(argv[1], "accept"))
			between();
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
			return EXIT_FAILURE;
		handle();
		if (send(fd, answer, sizeof(answer) - 1, 0) < 0)
			return EXIT_FAILURE;
		close(fd);
	}
}
