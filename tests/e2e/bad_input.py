#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What no client should send, and what some do all the same: garbage, half a request, a head of a megabyte, NULs and
escapes in paths, 100,000 different paths. Requests are still counted, all output is text, and what cannot be looked
into (TLS, HTTP/2, io_uring) is said in a line each."""
import collections
import random
import socket

from lib import *

# Answers everything: what begins like HTTP when its head is there, all else at once.
SERVER = r"""
import ctypes, mmap, socket, struct, threading
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
TOO_LARGE = b"HTTP/1.1 431 Too Large\r\nContent-Length: 0\r\n\r\n"

def send_by_io_uring(connection, data):
    "On a ring for this one alone: io_uring_setup(2), an IORING_OP_SEND, io_uring_enter(2)."
    libc = ctypes.CDLL(None)
    params = ctypes.create_string_buffer(120)
    fd = libc.syscall(425, 1, params)
    array = struct.unpack_from("<I", params, 40 + 24)[0]
    tail = struct.unpack_from("<I", params, 40 + 4)[0]
    ring = mmap.mmap(fd, array + 4, mmap.MAP_SHARED, offset=0)
    entries = mmap.mmap(fd, 64, mmap.MAP_SHARED, offset=0x10000000)
    buffer = ctypes.create_string_buffer(data, len(data))
    struct.pack_into("<BBHiQQI", entries, 0, 26, 0, 0, connection.fileno(), 0, ctypes.addressof(buffer), len(data))
    struct.pack_into("<I", ring, array, 0)
    struct.pack_into("<I", ring, tail, 1)
    assert libc.syscall(426, fd, 1, 1, 1, None, 0) == 1

def serve(connection):
    unread = b""
    while True:
        got = connection.recv(65536)
        if not got:
            return connection.close()
        unread += got
        if not b"A" <= unread[:1] <= b"Z" or unread[:3] == b"PRI":
            connection.sendall(unread[:2] + b"?!")
            unread = b""
        while b"\r\n\r\n" in unread:
            head, _, unread = unread.partition(b"\r\n\r\n")
            if b"/uring" in head:
                connection.sendall(OK[:-3])
                send_by_io_uring(connection, OK[-3:])
                continue
            connection.sendall(TOO_LARGE if len(head) > 65536 else OK)

listener = socket.create_server(("127.0.0.1", 0), backlog=100)
print("listening on", listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
NR_GARBAGE, NR_EXCHANGES = 20, 3
ODD_PATHS = [b"/nul\0byte", b"/esc\x1b[31mred\x07", b"/back\\slash", b"/not\xff\xfeutf8", b"/csi\xc2\x9b31m",
             b"/tab\tand\x7f", "/grün".encode(), b"/quote\"'<&>"]


def connect():
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    return connection, connection.makefile("rb")


def ask(connection, answers, head):
    """One exchange of HTTP; its status."""
    connection.sendall(head)
    status = int(answers.readline().split()[1])
    while answers.readline() not in (b"\r\n", b""):
        pass
    if status == 200:
        equal("body", answers.readline(), b"ok\n")
    return status


def hang_up(connection, answers):
    """Comes back when the server has closed it, too."""
    connection.shutdown(socket.SHUT_WR)
    equal("bytes that nobody asked for", answers.read(), b"")
    answers.close()
    connection.close()


def send_garbage():
    draw = random.Random(1)
    for _ in range(NR_GARBAGE):
        connection, answers = connect()
        for _ in range(NR_EXCHANGES):
            connection.sendall(bytes([draw.choice((2, 7, 0x7f, 0x90, 0xfe))]) + draw.randbytes(draw.randrange(1, 6000)))
            answers.read(4)
        hang_up(connection, answers)


def send_what_is_opaque():
    for first in (b"\x16\x03\x01\x00\x05hello", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        for _ in range(3):
            connection, answers = connect()
            for _ in range(2):
                connection.sendall(first)
                answers.read(4)
            hang_up(connection, answers)


def send_halves():
    for half in (b"GET /half HT", b"GET /half HTTP/1.1\r\nHost", b"GET /half HTTP/1.1\r\nHost: x\r\n"):
        connection, answers = connect()
        connection.sendall(half)
        hang_up(connection, answers)


def send_large_head():
    connection, answers = connect()
    equal("status", ask(connection, answers, b"GET /before HTTP/1.1\r\n\r\n"), 200)
    for times in range(2):
        large = b"X-Large: " + b"x" * (1 << 20)
        equal("status", ask(connection, answers, b"GET /large HTTP/1.1\r\n" + large + b"\r\n\r\n"), 431)
        equal("status", ask(connection, answers, b"GET /after HTTP/1.1\r\n\r\n"), 200)
    hang_up(connection, answers)


def send_odd_paths():
    connection, answers = connect()
    for odd in ODD_PATHS:
        equal("status", ask(connection, answers, b"GET " + odd + b" HTTP/1.1\r\nHost: x\r\n\r\n"), 200)
    equal("status", ask(connection, answers, b"GET /uring HTTP/1.1\r\n\r\n"), 200)
    hang_up(connection, answers)


def is_shown(character):
    """By a terminal, and not obeyed by it."""
    return character == "\n" or ord(character) >= 0x20 and not 0x7f <= ord(character) < 0xa0


def check_text(what, raw):
    text = raw.decode("utf-8")  # an error where it is none
    equal(what + ": characters that a terminal obeys", sorted({c for c in text if not is_shown(c)}), [])
    return text


def check_outputs(file):
    """Whatever shows a path."""
    for args in (["report"], ["report", "--by", "request"], ["requests"], ["requests", "--summary"]):
        for form in ("table", "json", "jsonl"):
            done = subprocess.run([WPERF, *args, "-i", file, "--format", form], capture_output=True, check=True)
            what = " ".join(args + [form])
            check(check_text(what, done.stdout).count("31m") >= 2, what + ": the paths are not in it")
            check_text(what + ", on stderr", done.stderr)
            for line in done.stdout.splitlines() if form == "jsonl" else []:
                json.loads(line)
            if form == "json":
                json.loads(done.stdout)


def check_live():
    for form in ("table", "jsonl"):
        live = start(WPERF, "live", "-v", "-p", str(server.pid), "--format", form, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE)
        for line in live.stderr:
            if line == b"wperf: attached\n":
                break
        send_odd_paths()
        live.send_signal(signal.SIGINT)
        out, talk = live.communicate(timeout=PATIENCE)
        equal("exit status of wperf live", live.returncode, 0)
        check(check_text("live, " + form, out).count("31m") >= 2, "live: the paths are not in it")
        check_text("live, on stderr", talk)


server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"listening on (\d+)")
port = int(server.ready[1])
recording = Recording("-p", server.pid)
for send in (send_garbage, send_what_is_opaque, send_halves, send_large_head, send_odd_paths):
    send()
recording.stop()

lines = wperf("requests", "-i", recording.file, "--format", "jsonl").stdout.splitlines()
requests = [json.loads(line) for line in lines]
got = collections.Counter((r["endpoint"], r["status"], r["elapsed"] is not None) for r in requests
                          if r["status"] != 200 or not r["path"].startswith("/") or r["path"] in ("/before", "/after"))
equal("requests but for odd ones", got, collections.Counter({
    ("tcp:%d" % port, None, True): NR_GARBAGE * NR_EXCHANGES, ("tcp:%d" % port, None, False): 1,
    ("/half", None, False): 2, ("/before", 200, True): 1, ("/large", 431, True): 2, ("/after", 200, True): 2}))
equal("all of them", len(requests), sum(got.values()) + len(ODD_PATHS) + 1)
profile = report(recording.file)
equal("lost", profile["lost"], 0)
for tally, nr, part in (("tls", 3, "TLS"), ("http2", 3, "HTTP/2"), ("calls_unseen", 1, "io_uring")):
    equal(tally, profile["tallies"][tally], nr)
    equal("lines about " + part, sum(part in line for line in profile["talk"].splitlines()), 1)
equal("bytes that may have been requests, of heads of which each is one", profile["tallies"]["bytes_skipped"], 0)
step("garbage, halves, a large head, odd paths: %d requests; TLS, HTTP/2 and io_uring are said" % len(requests))
check_outputs(recording.file)
check_live()
step("all output is text")
stop(server)

# ---- many paths ----

NR_PATHS, AT_A_TIME, NR_KEPT = 100000, 100, 10000  # at a time: less than the 4 KB that travel


def path_of(i):
    """Of letters alone, so that it is nobody's id; a hundredth are."""
    return "/user/%d" % i if i % 100 == 0 else "/page-" + "".join(chr(ord("a") + i // 26**k % 26) for k in range(4))


server = start_target(os.path.join(BUILD, "examples/server"), "--epoll", ready=r"listening on 127\.0\.0\.1:(\d+)")
port = int(server.ready[1])
recording = Recording("-p", server.pid)
connection, answers = connect()
for begin in range(0, NR_PATHS, AT_A_TIME):
    some = range(begin, begin + AT_A_TIME)
    connection.sendall(b"".join(b"GET %s HTTP/1.1\r\n\r\n" % path_of(i).encode() for i in some))
    left = AT_A_TIME
    while left:
        left -= answers.readline().startswith(b"HTTP/1.1 ")
connection.close()
recording.stop()
equal("exit status", stop(server)[0], 0)

profile = report(recording.file)
equal("lost", profile["lost"], 0)
requests = requests_by_path(profile)
equal("tables", len(requests), NR_KEPT + 1)
equal("requests", sum(requests.values()), NR_PATHS)
equal("requests of a pattern", requests["/user/{id}"], NR_PATHS // 100)
equal("requests of all others", requests["(other)"], NR_PATHS - NR_PATHS // 100 - (NR_KEPT - 1))
has("what is said", profile["talk"], "wperf: %d requests are in (other)" % requests["(other)"])
equal("tally", profile["tallies"]["other"], requests["(other)"])
step("%d paths: %d tables" % (NR_PATHS, len(requests)))
