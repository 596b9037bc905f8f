#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whose counted calls are, where several requests are underway in one thread: a number that is called exact is exact."""
import http.client

from clients import *

PYTHON = "/usr/bin/python3"
NR_CLIENTS, NR = 8, 40
STEPS = {"/alpha": ("alpha_step", 5), "/beta": ("beta_step", 7)}  # that a request takes

STEPS_PY = '''
def alpha_step():
    return sum(range(300))

def beta_step():
    return sum(range(300))

def step_of(path):
    return {b"/alpha": (alpha_step, 5), b"/beta": (beta_step, 7), b"/none": (None, 0)}[path]

ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n"
'''

# Handlers wait for a timer between their steps, so that those of others come in between.
TASKS = STEPS_PY + '''
import asyncio

async def serve(reader, writer):
    while head := await reader.readuntil(b"\\r\\n\\r\\n"):
        step, nr = step_of(head.split()[1])
        for i in range(nr):
            step()
            if i % 2:
                await asyncio.sleep(0.001)
        writer.write(ANSWER)

async def serve_all(reader, writer):
    try:
        await serve(reader, writer)
    except asyncio.IncompleteReadError:
        writer.close()

async def main():
    server = await asyncio.start_server(serve_all, "127.0.0.1", 0)
    print("port %d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
'''

# They wait once, for long.
SLEEPS = TASKS.replace("if i % 2:", "if not i:").replace("sleep(0.001)", "sleep(0.03)")

# The head of the answer goes ahead, as that of what is streamed.
PARTS = TASKS.replace("        step, nr =", "        writer.write(ANSWER[:-6])\n        step, nr =").replace(
    "writer.write(ANSWER)", "writer.write(ANSWER[-6:])")

THREADS = STEPS_PY + '''
import socketserver
import time

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            step, nr = step_of(line.split()[1])
            for i in range(nr):
                step()
                time.sleep(0.0002)
            self.wfile.write(ANSWER)

class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 16
    daemon_threads = True

server = Server(("127.0.0.1", 0), Handler)
print("port %d" % server.server_address[1], flush=True)
server.serve_forever()
'''


def ask(port, first, nr):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    paths = list(STEPS)
    for i in range(nr):
        connection.request("GET", paths[(first + i) % len(paths)])
        equal("answer", connection.getresponse().read(), b"hello\n")
    connection.close()


def ask_in_pairs(port, nr):
    """Of two clients the second one asks while the first one's request waits; before, they ask for what does not wait."""
    pair = [http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for _ in range(2)]
    for connection in pair * 15:
        connection.request("GET", "/none")
        connection.getresponse().read()
    for _ in range(nr // 2):
        for connection, asked in zip(pair, STEPS):
            connection.request("GET", asked)
            time.sleep(0.01)
        for connection in pair:
            equal("answer", connection.getresponse().read(), b"hello\n")


def go(program, nr_clients):
    """A recording of this many clients that ask at a time, each for NR requests."""
    return record(program, lambda port: in_threads(ask, *((port, i, NR) for i in range(nr_clients))))


def record(program, load):
    with open(path("steps.py"), "w") as f:
        f.write(program)
    server = start_target(PYTHON, path("steps.py"), ready=r"port (\d+)")
    port = int(server.ready[1])
    recording = Recording("-p", server.pid, "--calls", "python")
    load(port)
    recording.stop()
    stop(server)
    return recording


def steps_in(profile):
    """[(path, function, calls, are they exact, the group's requests)]"""
    return [(g["path"], f["function"], f["ncalls"], f["exact"], g["requests"]) for g in profile["groups"]
            for f in g["functions"] if f["function"] in ("alpha_step", "beta_step")]


def check_steps(what, profile, nr_requests):
    """Each step is somewhere, and what is called exact is right; returns how many rows are, and how many are right."""
    rows = steps_in(profile)
    for path_asked, (name, nr) in STEPS.items():
        equal("%s: calls of %s" % (what, name), sum(r[2] for r in rows if r[1] == name), nr_requests // 2 * nr)
    wants = [STEPS[r[0]][1] * r[4] if r[0] in STEPS and STEPS[r[0]][0] == r[1] else 0 for r in rows]
    for (path_asked, name, nr, is_exact, _), want in zip(rows, wants):
        check(nr == want or not is_exact, "%s: %s: %d calls of %s are called exact, and are %d" % (
            what, path_asked, nr, name, want))
    return sum(r[3] for r in rows), sum(r[2] == want for r, want in zip(rows, wants)), len(rows)


def check_sure(what, recording, nr_requests):
    for by in ("endpoint", "request"):
        nr_exact, nr_right, nr = check_steps(what, report(recording.file, "--by", by), nr_requests)
        equal("%s: rows by %s, exact and right" % (what, by), (nr_exact, nr_right), (nr, nr))


check_sure("one request at a time", go(TASKS, 1), NR)
step("tasks, one request at a time: all calls are sure")

check_sure("one answer at a time, in parts", go(PARTS, 1), NR)
step("tasks, one answer at a time, in parts: all calls are sure")

for what, program in (("answers in parts", PARTS), ("tasks", TASKS)):
    recording = go(program, NR_CLIENTS)
    for by in ("endpoint", "request"):
        nr_exact, nr_right, nr = check_steps(what, report(recording.file, "--by", by), NR_CLIENTS * NR)
        step("%s, %d at a time, by %s: of %d rows %d are right, and %d called exact" % (
            what, NR_CLIENTS, by, nr, nr_right, nr_exact))
has("what the report says", wperf("report", "-i", recording.file).stderr, "may be another request's")

recording = record(SLEEPS, lambda port: ask_in_pairs(port, NR))
for by in ("endpoint", "request"):
    nr_exact, nr_right, nr = check_steps("tasks that sleep", report(recording.file, "--by", by), NR)
    step("tasks that sleep, two at a time, by %s: of %d rows %d are right, and %d called exact" % (
        by, nr, nr_right, nr_exact))

check_sure("threads", go(THREADS, NR_CLIENTS), NR_CLIENTS * NR)
step("threads, %d at a time: all calls are sure" % NR_CLIENTS)
