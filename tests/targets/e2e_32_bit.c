/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of HTTP with the system calls of 32-bit programs, one connection at a time. It needs no 32-bit library:
 * cc -m32 -nostdlib -static -ffreestanding -fno-pie. Says "listening on PORT".
 */
/* Linux: arch/x86/entry/syscalls/syscall_32.tbl */
enum {
	NR_READ = 3,
	NR_WRITE = 4,
	NR_CLOSE = 6,
	NR_SOCKET = 359,
	NR_BIND = 361,
	NR_LISTEN = 363,
	NR_ACCEPT4 = 364,
	NR_GETSOCKNAME = 367,
};

enum { AF_INET = 2, SOCK_STREAM = 1, IN_MAX = 4096 };

struct address {
	unsigned short family, port;
	unsigned char ip[4];
	char zero[8];
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

static int call(int nr, long a, long b, long c, long d)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return ret;
}

static void say_port(unsigned int port)
{
	char line[] = "listening on 00000\n";
	int i;

	for (i = 17; i > 12; i--, port /= 10)
		line[i] = (char)('0' + port % 10);
	call(NR_WRITE, 1, (long)line, sizeof(line) - 1, 0);
}

static int listen_anywhere(void)
{
	struct address address = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };
	int len = sizeof(address), fd = call(NR_SOCKET, AF_INET, SOCK_STREAM, 0, 0);

	call(NR_BIND, fd, (long)&address, len, 0);
	call(NR_LISTEN, fd, 10, 0, 0);
	call(NR_GETSOCKNAME, fd, (long)&address, (long)&len, 0);
	say_port((unsigned int)(address.port >> 8 | (address.port & 255) << 8));
	return fd;
}

void _start(void);
void _start(void)
{
	static char in[IN_MAX];
	int fd = listen_anywhere(), connection;

	for (;;) {
		connection = call(NR_ACCEPT4, fd, 0, 0, 0);
		while (call(NR_READ, connection, (long)in, IN_MAX, 0) > 0)
			call(NR_WRITE, connection, (long)answer, sizeof(answer) - 1, 0);
		call(NR_CLOSE, connection, 0, 0, 0);
	}
}
