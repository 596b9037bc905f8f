#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's own USDT probes: every statement is a request, and those that differ only in their
literals are one endpoint. Backends are forked by the postmaster: before the attach, and after it."""
from servers import *

MARKER = "begin=usdt:postgresql:query__start,end=usdt:postgresql:query__done,label=arg1:str"
# A statement with %s for a number, and how often it is sent with different ones.
SHAPES = {
    "SELECT %s": 120,
    "SELECT 'name %s'": 80,
    "SELECT count(*) FROM generate_series(1, %s) AS g": 60,
    "SELECT sum(x * %s) FROM generate_series(1, 1000) AS x WHERE x > %s": 40,
    "INSERT INTO things VALUES (%s, 'thing no. %s')": 100,
}
FOLDED = {
    "SELECT ?": 200,
    "SELECT count(*) FROM generate_series(?, ?) AS g": 60,
    "SELECT sum(x * ?) FROM generate_series(?, ?) AS x WHERE x > ?": 40,
    "INSERT INTO things VALUES (?, ?)": 100,
}


def psql(home):
    return start(*AS_POSTGRES, "psql", "-h", home, "-X", "-q", "-A", "-t", "-d", "postgres",
                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", cwd=home)


def statements():
    text = []
    for shape, times in SHAPES.items():
        for i in range(times):
            text.append(shape.replace("%s", str(i * 7 + 1)) + ";\n")
    return "".join(text)


def say(client, text):
    """Sends statements, and waits until the last of them has been answered; \\echo is psql's own."""
    client.stdin.write(text + "\\echo all answered\n")
    client.stdin.flush()
    while client.stdout.readline() not in ("all answered\n", ""):
        pass


def hang_up(client):
    client.stdin.close()
    equal("psql's exit status", client.wait(PATIENCE), 0)


def check_requests(recording, nr_backends, extra):
    profile = report(recording.file)
    want = {shape: nr * nr_backends for shape, nr in FOLDED.items()}
    want.update(extra)
    equal("requests by statement", requests_by_path(profile), want)
    for tally in ("unmatched_ends", "unfinished", "label_faults", "labels_cut"):
        equal(tally, profile["tallies"][tally], 0)
    by_process = report(recording.file, "--by", "process")
    return sum(g["requests"] > 0 for g in by_process["groups"])


home, _, postmaster = start_postgres()
step("postgres runs")
try:
    client = psql(home)
    say(client, "CREATE TABLE things (id int, name text);\n")
    hang_up(client)

    recording = Recording("-p", postmaster, "--marker", MARKER)
    clients = [psql(home) for _ in range(2)]
    for client in clients:
        say(client, statements())
        hang_up(client)
    recording.stop()
    equal("backends", check_requests(recording, 2, {}), 2)
    step("backends forked after the attach: %d requests" % (2 * sum(FOLDED.values())))

    before = psql(home)
    say(before, "SELECT 1;\n")
    recording = Recording("-p", postmaster, "--marker", MARKER)
    after = psql(home)
    say(before, statements())
    say(after, "DELETE FROM things WHERE id = 5;\n")
    recording.stop()
    equal("backends", check_requests(recording, 1, {"DELETE FROM things WHERE id = ?": 1}), 2)
    step("a backend that was there before: %d requests" % (sum(FOLDED.values()) + 1))
    hang_up(before)
    hang_up(after)
finally:
    os.kill(postmaster, signal.SIGINT)
    for process in started:
        process.wait(PATIENCE)
