#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was not seen is said: the statuses of answers that one write sent together, beyond the bytes that travel; and why
there is no request at all, or some are missing. Of the answer to one request nothing travels but its first bytes."""
import socket
import threading

from clients import *

# Answers all requests that one read brings with one write.
SERVER = r"""
import socket
import threading
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
BODIES = {b"short": b"x" * 227, b"long": b"x" * 5000, b"told": b"x" * 256 + 100 * b"never recorded"}
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    while got := connection.recv(65536):
        body = next((BODIES[path] for path in BODIES if path in got), b"")
        connection.sendall(got.count(b"\r\n\r\n") * (HEAD % len(body) + body))
    connection.close()
"""
NR, AT_ONCE = 10, 4
HEAD_BYTES = 40
# More than the usual 256 bytes of a request: a browser's.
COOKIE = b"Cookie: " + b"c" * 500 + b"\r\n"
PARTS = ((b"GET ", b"/short HTTP/1.1\r\n\r\n"), (b"", b"\r\nGET /short HTTP/1.1\r\n\r\n"),
         (b"GET /short HTTP/1.1\r\nAccept: ", b"*/*\r\n\r\n"), (b"GET /short HTTP/1.1\r\nA", b"ccept: */*\r\n\r\n"),
         (b"GET /short HTTP/1.1\r\nIf: ", b'"7"\r\n\r\n'))


def ask(connection, path, body_bytes, nr, more=b""):
    connection.sendall(nr * (b"GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path, more)))
    wait_for_answers(connection, body_bytes, nr)


def wait_for_answers(connection, body_bytes, nr):
    left = nr * (HEAD_BYTES + len(str(body_bytes)) - 3 + body_bytes)
    while left:
        left -= len(connection.recv(left))


def ask_in_two(connection, begin, end):
    """What is read with the first request ends within a line of the next one's head, or ahead of it."""
    request = b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n"
    connection.sendall(request + begin)
    wait_for_answers(connection, 227, 1)
    connection.sendall(end + (AT_ONCE - 2) * request)
    wait_for_answers(connection, 227, AT_ONCE - 1)


server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"listening on (\d+)")
with recorded(server.pid) as recording:
    with socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE) as connection:
        for _ in range(NR):
            ask(connection, b"short", 227, AT_ONCE)
            ask(connection, b"short", 227, AT_ONCE, COOKIE)
            ask(connection, b"long", 5000, AT_ONCE)
            ask(connection, b"told", 1656, 1)
            ask(connection, b"told", 1656, 1, COOKIE)
            for each in PARTS:
                ask_in_two(connection, *each)
got = collections.Counter((r["path"], r["status"], r["elapsed"] is not None) for r in requests_of(recording))
# Of several answers that are written together 4 KiB travel; the one behind them might be theirs.
nr_unseen = NR * AT_ONCE
equal("requests", got, {("/short", 200, True): (2 + len(PARTS)) * NR * AT_ONCE, ("/told", 200, True): NR, ("/told", None, True): NR,
                        ("/long", 200, True): NR, ("/long", None, True): NR * (AT_ONCE - 1)})
with open(recording.file, "rb") as f:
    check(b"never recorded" not in f.read(), "the recording has more of an answer than its first bytes")
profile = report(recording.file)
check_clean("pipelined", profile, but=("status_unseen",))
equal("statuses that were not seen", profile["tallies"]["status_unseen"], nr_unseen)
line = "wperf: %d requests have no status: that part of their answers, or of those before, was not looked at" % nr_unseen
has("what report says", profile["talk"], line)
has("what requests says", wperf("requests", "-i", recording.file).stderr, line)
step("pipelined: %d of %d statuses were not seen, and that is said" % (nr_unseen, sum(got.values())))
stop(server)

# ---- calls that are not looked at ----

# Reads by io_submit(2), a line of a file first.
AIO = r"""
import ctypes, socket, struct
libc = ctypes.CDLL(None)
context, buffer = ctypes.c_ulong(), ctypes.create_string_buffer(4096)
assert libc.syscall(206, 1, ctypes.byref(context)) == 0  # io_setup
def read(fd):
    iocb = ctypes.create_string_buffer(struct.pack("<QIiHhIQQqQII", 0, 0, 0, 0, 0, fd, ctypes.addressof(buffer), 4096, 0, 0, 0, 0))
    event = ctypes.create_string_buffer(32)
    assert libc.syscall(209, context, 1, ctypes.byref(ctypes.c_void_p(ctypes.addressof(iocb)))) == 1  # io_submit
    assert libc.syscall(208, context, 1, 1, event, None) == 1  # io_getevents
    return struct.unpack_from("<q", event, 16)[0]
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
with open("/proc/self/exe", "rb") as file:
    while True:
        connection = listener.accept()[0]
        while read(connection.fileno()) > 0:
            assert read(file.fileno()) == 4096
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.close()
"""


def ask_by_turns(port):
    """Of what ends the connection something is read, too, but nothing moves."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        for _ in range(NR):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            has("answer", client.recv(1000).decode(), "200 OK")


WAYS = "traces", "calls"
for way in WAYS:
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", AIO, ready=r"listening on (\d+)")
    with recorded(server.pid) as recording:
        ask_by_turns(int(server.ready[1]))
    nr = report(recording.file)["tallies"]["calls_unseen"]
    # Where calls are seen, the one that reads the end counts, too.
    check(NR <= nr <= NR + 1, "io_submit, by %s: %d calls are told, not %d" % (way, nr, NR))
    has("what record says", recording.talk, "wperf: %d calls whose transfers are not looked at" % nr)
    stop(server)
    step("io_submit, by %s: %d calls were not seen, and that is said" % (way, nr))

# ---- 32-bit programs ----

program = path("32_bit")
run(os.environ.get("CC", "cc"), "-O1", "-Wall", "-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-pie", "-fno-stack-protector",
    "-o", program, os.path.join(ROOT, "tests/targets/e2e_32_bit.c"))


def can_run():
    try:
        stop(start_target(program, ready=r"listening on (\d+)"))
        return True
    except OSError:
        return False


def check_32_bit(what, recording):
    tallies = report(recording.file)["tallies"]
    equal(what + ": threads", tallies["threads_32_bit"], 1)
    for none in CLEAN:
        equal("%s: %s" % (what, none), tallies[none], none == "threads_32_bit")
    has("what record says", recording.talk, "wperf: 1 thread of a 32-bit program, whose connections are not looked at")
    has("what requests says", wperf("requests", "-i", recording.file).stderr,
        "wperf: no request was seen: connections of 32-bit programs are not looked at\n")
    step(what + ": that it is one is said")


for way in WAYS if can_run() else ():
    os.environ["WPERF_SOCKETS"] = way
    server = start_target(program, ready=r"listening on (\d+)")
    with recorded(server.pid) as recording:
        ask_by_turns(int(server.ready[1]))
    stop(server)
    check_32_bit("a 32-bit server, by " + way, recording)
    recording = Recording("--", "sh", "-c", "exec " + program, stdout=subprocess.PIPE, encoding="utf-8")
    ask_by_turns(int(recording.process.stdout.readline().split()[-1]))
    check_32_bit("one that a shell begins, by " + way, recording.stop())
# A 64-bit program that makes calls of 32-bit ones: where 64-bit ones have writev() is getpid(), at close() a read of 0 bytes.
INT80 = r"""
import ctypes, mmap, socket
code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("53 89c8 31db cd80 5b c3"))  # push rbx; mov eax, ecx; xor ebx, ebx; int 0x80; pop rbx; ret
int80 = ctypes.CFUNCTYPE(ctypes.c_int, *4 * [ctypes.c_long])(ctypes.addressof(ctypes.c_char.from_buffer(code)))
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    while connection.recv(1000):
        for nr in 20, 3:
            int80(connection.fileno(), 0, 0, nr)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    connection.close()
"""
for way in WAYS if can_run() else ():
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", INT80, ready=r"listening on (\d+)")
    with recorded(server.pid) as recording:
        ask_by_turns(int(server.ready[1]))
    stop(server)
    equal("requests beside int $0x80, by " + way,
          collections.Counter((r["path"], r["status"], r["elapsed"] is not None) for r in requests_of(recording)), {("/", 200, True): NR})
    check_clean("int $0x80, by " + way, report(recording.file))
    step("int $0x80, by %s: %d requests" % (way, NR))
del os.environ["WPERF_SOCKETS"]

# ---- datagrams beside requests ----

# At a port that a server chooses: not one of those that the kernel takes.
UDP_TOO = r"""
import socket, threading
def serve():
    while True:
        udp.sendto(*udp.recvfrom(1000))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(20000, 30000):
    try:
        udp.bind(("127.0.0.1", port))
        break
    except OSError:
        pass
threading.Thread(target=serve, daemon=True).start()
""" + SERVER.replace('print("listening on",', 'print("datagrams on", port, "listening on",')


def ask_by_datagrams(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        for _ in range(5):
            client.sendto(b"ask", ("127.0.0.1", port))
            equal("echo", client.recv(100), b"ask")


server = start_target("/usr/bin/python3", "-c", UDP_TOO, ready=r"datagrams on (\d+) listening on (\d+)")
with recorded(server.pid) as recording:
    ask_by_datagrams(int(server.ready[1]))
    with socket.create_connection(("127.0.0.1", int(server.ready[2])), PATIENCE) as connection:
        ask(connection, b"short", 227, 1)
equal("requests", [r["path"] for r in requests_of(recording)], ["/short"])
profile = report(recording.file)
check_clean("datagrams", profile, but=("datagram_sockets",))
equal("sockets for datagrams", profile["tallies"]["datagram_sockets"], 1)
line = "wperf: 1 socket took datagrams (UDP) at the attach: requests in them are not seen\n"
has("what report says", profile["talk"], line)
has("what requests says", wperf("requests", "-i", recording.file).stderr, line)
stop(server)
step("datagrams beside requests: said")

# ---- no request at all ----

# Answers datagrams.
UDP = r"""
import socket
import threading
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("listening on", s.getsockname()[1], flush=True)
while True:
    s.sendto(*s.recvfrom(1000))
"""


def ask_by_tls(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(b"\x16\3\1\0\5hello")


def ask_nothing(port):
    pass


def ping(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(b"PING\r\n")


for source, ask, marker, why in (
        (UDP, ask_by_datagrams, "auto", "nothing came on connections to it. Datagrams (UDP) are not looked at"),
        (SERVER, ask_by_tls, "auto", "what its connections speak cannot be looked into"),
        (SERVER, ping, "http", "none that its --marker means began on its connections"),
        (SERVER, ping, "socket:1", "nothing came on the connections that its --marker means"),
        (SERVER, ask_nothing, "func:getpid", "nothing ran that marks one"),
        (SERVER, ask_nothing, "none", "the recording has no marks of requests: it is not wperf's, or --marker was none, or wperf record could not "
         "make any, and said why")):
    server = start_target("/usr/bin/python3", "-c", source, ready=r"listening on (\d+)")
    with recorded(server.pid, args=("--marker", marker)) as recording:
        ask(int(server.ready[1]))
    for args in ([], ["--summary"]):
        done = wperf("requests", "-i", recording.file, *args)
        has(why, done.stderr, "wperf: no request was seen: %s\n" % why)
        equal(why + ": the table", done.stdout, "")
    equal(why + ": JSON", json.loads(wperf("requests", "-i", recording.file, "--format", "json").stdout)["requests"], [])
    stop(server)
    step("no request was seen: " + why)


UPLOAD = b"POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n"
UPLOADS = r"""
import socket
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    while got := connection.recv(1000):
        left = %d - len(got)
        while left:
            left -= len(connection.recv(min(left, 1000)))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    connection.close()
""" % (len(UPLOAD) + 60000)


def upload(port, until):
    """Some on each connection, and all on the last one behind `until`."""
    is_last = False
    while not is_last:
        is_last = until.is_set()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            for _ in range(NR):
                connection.sendall(UPLOAD + 60000 * b"x")
                connection.recv(1000)


def check_uploads(way):
    """What was read while the recorder attached, on connections that it has seen begin, is not said to be missing."""
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", UPLOADS, ready=r"listening on (\d+)")
    is_attached = threading.Event()
    client = threading.Thread(target=upload, args=(int(server.ready[1]), is_attached))
    client.start()
    with recorded(server.pid) as recording:
        is_attached.set()
        client.join()
    stop(server)
    equal("bytes not looked at, by " + way, report(recording.file)["tallies"]["bytes_skipped"], 0)
    nr = len(requests_of(recording))
    check(nr >= NR, "%d requests behind the attach" % nr)


for way in "traces", "calls":
    check_uploads(way)
step("uploads while it attaches")
