#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that one thread reads and another one works on: what these threads do is the request's that it is
done for."""
import collections
import socket
import statistics

from clients import *

program = build("e2e_pool.c", "-O2")
NR_CLIENTS, NR = 8, 400
NR_ROUNDS, LARGE = 4000, 1000000  # so many that what is not late would not be looked for any more
WORK = {"/alpha": "work_on_alpha", "/beta": "work_on_beta"}


def ask_all(port, paths=tuple(WORK), nr=NR):
    ask_in_turn(port, paths, NR_CLIENTS, nr)


def samples_in(group, name):
    return sum(f["samples"] for f in group["functions"] if f["function"] == name)


# ---- a loop that reads from all, and then answers all ----

LOOP = r"""
import socket
listener = socket.create_server(("127.0.0.1", 0))
print("port %d" % listener.getsockname()[1], flush=True)
clients = [listener.accept()[0] for _ in range(2)]
large = bytes(LARGE)
while True:
    asked = [c.recv(4096) for c in clients]
    if not all(asked):
        break
    for c, a in zip(clients, asked):
        body = large if b"/large" in a else b"small"
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
"""


def read_answer(connection, body_size):
    left = len(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % body_size) + body_size
    while left:
        left -= len(connection.recv(left))


def check_loop():
    """What a write takes is its own answer's, not the one's before."""
    server = start_target("/usr/bin/python3", "-c", LOOP.replace("LARGE", str(LARGE)), ready=r"port (\d+)")
    clients = [socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE) for _ in range(2)]
    recording = Recording("-p", server.pid, "-F", "99")
    for _ in range(NR_ROUNDS):
        for client, path in zip(clients, ("/small", "/large")):
            client.sendall(b"GET %s HTTP/1.1\r\n\r\n" % path.encode())
        read_answer(clients[0], len("small"))
        read_answer(clients[1], LARGE)
    recording.stop()
    cpu = collections.defaultdict(list)
    for line in wperf("requests", "--format", "jsonl", "-i", recording.file).stdout.splitlines():
        request = json.loads(line)
        if request["cpu"] is not None:
            cpu[request["path"]].append(request["cpu"])
    # Not the sums: where a hypervisor stops the machine for a while, one request has all of that.
    small, large = (statistics.median(cpu[path]) for path in ("/small", "/large"))
    check(large > 2 * small > 0, "on the CPU: %r" % {path: (sum(each), max(each), statistics.median(each)) for path, each in cpu.items()})
    step("a loop that reads from all, and then answers all: %.0f us for large answers, %.0f us for small ones" % (1e6 * large, 1e6 * small))


check_loop()

# ---- a loop that looks what has come before it works on what it has read ----

TASKS = r"""
import select, socket, time
listener = socket.create_server(("127.0.0.1", 0))
print("port %d" % listener.getsockname()[1], flush=True)
client = listener.accept()[0]
poll = select.epoll()
poll.register(client, select.EPOLLIN)
tasks, burned = [], 0
def work(asked):
    global burned
    begin = time.thread_time()
    if b"/burn" in asked:
        while time.thread_time() < begin + 0.001:
            pass
        burned += time.thread_time() - begin
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
while True:
    for _ in poll.poll(0 if tasks else -1):
        asked = client.recv(4096)
        tasks.append(asked)
    if not tasks[0]:
        break
    poll.poll(0)
    work(tasks.pop(0))
print("burned %.9f" % burned, flush=True)
"""


def check_tasks(way):
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", TASKS, ready=r"port (\d+)")
    client = socket.create_connection(("127.0.0.1", int(server.ready[1])), PATIENCE)
    recording = Recording("-p", server.pid)
    for i in range(400):
        client.sendall(b"GET /%s HTTP/1.1\r\n\r\n" % (b"burn" if i % 2 else b"light"))
        check(client.recv(4096), "the server has hung up")
    client.close()
    recording.wait()
    burned = float(server.stdout.readline().split()[1])
    cpu = collections.defaultdict(list)
    for line in wperf("requests", "--format", "jsonl", "-i", recording.file).stdout.splitlines():
        request = json.loads(line)
        cpu[request["path"]].append(request["cpu"])
    # The sum is exact, and may have what a hypervisor took, too.
    burn, light = (statistics.median(cpu[path]) for path in ("/burn", "/light"))
    check(burned < sum(cpu["/burn"]) and 0.001 < burn < 0.0015 and light < 0.0005,
          "by %s: on the CPU %.4f, medians %.6f and %.6f, burned %.4f" % (way, sum(cpu["/burn"]), burn, light, burned))
    step("tasks, by %s: burned %.1f ms; /burn has %.1f ms, a light one %.0f us" % (way, 1e3 * burned, 1e3 * sum(cpu["/burn"]), 1e6 * light))
    del os.environ["WPERF_SOCKETS"]


for way in ("calls", "traces"):
    check_tasks(way)

# ---- servers that ask another one ----

PEER = r"""
import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print("port %d" % listener.getsockname()[1], flush=True)
def answer(client):
    while byte := client.recv(1):
        client.sendall(byte)
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
"""

peer = start_target("/usr/bin/python3", "-c", PEER, ready=r"port (\d+)")

ASKING = r"""
import asyncio, collections, sys, time
burned = collections.Counter()
def burn(path):
    begin = time.thread_time()
    while time.thread_time() < begin + 0.001:
        pass
    burned[path] += time.thread_time() - begin
async def work(path, peer):
    burn(path)
    if path == "/asks":
        peer[1].write(b".")
        await peer[0].readexactly(1)
        burn(path)
async def serve(reader, writer):
    peer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await work(head.split()[1].decode(), peer)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
    except asyncio.IncompleteReadError:
        writer.close()
        peer[1].close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("port %d" % server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
print("%.9f %.9f" % (burned["/asks"], burned["/works"]), flush=True)
"""


def check_asking():
    """A loop that reads from all, and then runs a task for each, which may ask another server in its middle."""
    server = start_target("/usr/bin/python3", "-c", ASKING, peer.ready[1], ready=r"port (\d+)", stdin=subprocess.PIPE)
    recording = Recording("-p", server.pid, "-F", "99")
    ask_all(int(server.ready[1]), ("/asks", "/works", "/works"), 100)
    wait_until_idle(server.pid)
    recording.stop()
    server.stdin.close()
    burned = dict(zip(("/asks", "/works"), map(float, server.stdout.readline().split())))
    cpu = collections.Counter()
    for line in wperf("requests", "--format", "jsonl", "-i", recording.file).stdout.splitlines():
        request = json.loads(line)
        # Of the first ones it is not known.
        cpu[request["path"]] += request["cpu"] or 0
    check(all(cpu[p] > 0.95 * burned[p] for p in burned) and
          0.8 < cpu["/asks"] / cpu["/works"] / (burned["/asks"] / burned["/works"]) < 1.25,
          "on the CPU %r, burned %r" % (cpu, burned))
    step("a loop that asks another server: " + ", ".join(
        "%s has %.1f ms, and burned %.1f ms" % (p, 1e3 * cpu[p], 1e3 * burned[p]) for p in burned))


check_asking()

# ---- pools ----

for way, *more in (("workers",), ("fresh",), ("alike",), ("workers", peer.ready[1]), ("fresh", peer.ready[1])):
    server = start_target(program, way, *more, ready=r"port (\d+)")
    recording = Recording("-p", server.pid)
    ask_all(int(server.ready[1]))
    time.sleep(0.2)
    recording.stop()
    profile = report(recording.file)
    groups = {g["path"]: g for g in profile["groups"]}
    equal("requests", {p: groups[p]["requests"] for p in WORK}, dict.fromkeys(WORK, NR_CLIENTS * NR // 2))
    work = {p: {q: samples_in(groups[q], WORK[p]) if q in groups else 0 for q in (*WORK, "(outside)")} for p in WORK}
    whole = sum(sum(of.values()) for of in work.values())
    right = sum(of[p] for p, of in work.items())
    outside = sum(of["(outside)"] for of in work.values())
    check(whole > 100, "hardly any samples: %r" % work)
    check(right >= 0.99 * (whole - outside), "%s: samples in the wrong request: %r" % (way, work))
    check(right >= 0.9 * whole, "%s: what could be known is outside: %r" % (way, work))
    stop(server)
    step("%s%s: of %d samples %d where they belong, %d outside" %
         (way, " that ask another server" if more else "", whole, right, outside))

# ---- counted calls ----

for way in ("fresh", "alike") if IS_SANITIZED else ("workers", "fresh", "alike"):
    server = start_target(program, way, ready=r"port (\d+)")
    recording = Recording("-p", server.pid, "--calls", "work_on_*", "--max-overhead", "100")
    ask_all(int(server.ready[1]))
    wait_until_idle(server.pid)
    recording.stop()
    calls, nr_sure = collections.defaultdict(collections.Counter), 0
    for group in report(recording.file, "--by", "request")["groups"]:
        these = {f["function"]: f["ncalls"] for f in group["functions"] if f["ncalls"]}
        calls[group["path"]].update(these)
        if group["exact"] and group["path"] in WORK:
            equal("calls of what is called exact", these, {WORK[group["path"]]: 1})
            nr_sure += 1
    nr_outside = sum(calls["(outside)"].values())
    nr_right = sum(calls[path][function] for path, function in WORK.items())
    nr = NR_CLIENTS * NR
    equal("calls in all", sum(sum(of.values()) for of in calls.values()), nr)
    if way != "alike":
        check(nr_right == nr, "%s: calls in the wrong request: %r" % (way, calls))
        # Who takes from a queue may have cleaned up behind the answer before.
        check(nr_sure > 0.9 * nr or way == "workers", "%s: of %d requests' calls only those of %d are called exact" % (way, nr, nr_sure))
    # Until it has shown that these threads read for each other there may be some.
    check(nr_right >= 0.99 * (nr - nr_outside), "%s: calls in the wrong request: %r" % (way, calls))
    check(nr_right >= 0.9 * nr, "%s: what could be known is outside: %r" % (way, calls))
    stop(server)
    step("%s: of %d calls %d in the right request, %d outside, %d called exact" % (way, nr, nr_right, nr_outside, nr_sure))
