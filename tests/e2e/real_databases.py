#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis, memcached and PostgreSQL as they are installed, nothing named and nothing configured: the
requests that wperf finds by their sockets are those that the clients sent, exactly."""
import fcntl
import termios

from clients import *
from servers import *


def benchmark(server, nr, *options):
    """Each command nr times, after two CONFIG GETs: of "save" and of "appendonly"."""
    with recorded(server.pid) as recording:
        run("redis-benchmark", "-p", str(server.port), "-q", "-n", str(nr), "-c", "4", "-t", "set,get,incr",
            *options)
    return recording


def check_inline(server):
    """A pipeline of commands in lines of a word: more than 1 KiB, and less than 4, of each read travels."""
    nr_at_once = 400
    with recorded(server.pid) as recording:
        connection, lines = dial(server.port)
        for _ in range(5):
            connection.sendall(nr_at_once * b"PING\r\n")
            for _ in range(nr_at_once):
                equal("answer", lines.readline(), b"+PONG\r\n")
        connection.close()
    check_counts("redis, inline", recording, {"PING": 5 * nr_at_once}, key=lambda request: request["path"])


def check_redis():
    server = redis()
    check_inline(server)
    for options, nr in (((), 3000), (("-P", "16"), 16000)):
        what = " ".join(("redis",) + options)
        recording = benchmark(server, nr, *options)
        want = {"SET": nr, "GET": nr, "INCR": nr, "CONFIG GET": 2}
        check_counts(what, recording, want, key=lambda request: request["path"])

    def connect():
        connection, lines = dial(server.port)

        def ask(key):
            """Redis answers that it knows no such command; wperf has it by its name nevertheless."""
            connection.sendall(b"*2\r\n$%d\r\n%s\r\n$1\r\nk\r\n" % (len(key), key.encode()))
            assert lines.readline().startswith(b"-ERR unknown command")
        return ask

    def connect_pipeline():
        connection, lines = dial(server.port)

        def ask(key):
            """The last of 16 at a time."""
            connection.sendall(b"*1\r\n$4\r\nPING\r\n" * 15 + b"*2\r\n$%d\r\n%s\r\n$1\r\nk\r\n" %
                               (len(key), key.encode()))
            for _ in range(15):
                assert lines.readline() == b"+PONG\r\n"
            assert lines.readline().startswith(b"-ERR unknown command")
        return ask

    def key_of(request):
        return None if request["path"] == "PING" else request["path"].lower()
    check_middle("redis", server.pid, connect, key_of, nr=1000)
    check_middle("redis, pipelines", server.pid, connect_pipeline, key_of, nr=300)
    server.stop()


def dial(where):
    if isinstance(where, int):
        connection = socket.create_connection(("127.0.0.1", where), PATIENCE)
    else:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(where)
    return connection, connection.makefile("rb")


def check_memcached():
    port = free_port()
    server = start("memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "2")
    wait_until("memcached answers", lambda: answers(port))

    def ask(times, size):
        connection, lines = dial(port)
        for i in range(times):
            key, value = b"k%d.%d" % (size, i % 7), b"v" * size
            connection.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key, size, value))
            equal("set", lines.readline(), b"STORED\r\n")
            connection.sendall(b"get %s\r\n" % key)
            check(lines.readline().startswith(b"VALUE ") and lines.readline() == value + b"\r\n" and
                  lines.readline() == b"END\r\n", "get of %d bytes" % size)
            connection.sendall(b"get none\r\n")
            equal("get of nothing", lines.readline(), b"END\r\n")
        connection.close()
    with recorded(server.pid) as recording:
        in_threads(ask, (200, 10), (200, 1000), (50, 50000))
    check_counts("memcached", recording, {"set": 450, "get": 900}, key=lambda request: request["path"])

    # The first read has so little of the first command that it could be Redis's.
    asked = {"delete": b"delete k\r\n", "set": b"set k 0 0 1\r\nx\r\n", "mg": b"mg k v\r\n"}
    with recorded(server.pid) as recording:
        for command in asked.values():
            for cut in range(1, 5):
                connection, lines = dial(port)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(command[:cut])
                time.sleep(0.02)
                connection.sendall(command[cut:])
                check(lines.readline(), "no answer to %r" % command)
                connection.close()
    check_counts("memcached, first commands in two pieces", recording, {name: 4 for name in asked},
                 key=lambda request: request["path"])

    def connect():
        connection, lines = dial(port)

        def ask(key):
            connection.sendall(b"get %s\r\n" % key.encode())
            assert lines.readline() == b"END\r\n"
        return ask
    check_middle_by_number("memcached", server.pid, connect, "get", nr=1000)
    stop(server)


class Postgres:
    """Its simple query: "Frontend/Backend Protocol", version 3.0."""

    def __init__(self, home):
        self.connection, self.lines = dial(home + "/.s.PGSQL.5432")
        options = b"user\0postgres\0database\0postgres\0\0"
        self.connection.sendall(struct.pack(">II", 8 + len(options), 3 << 16) + options)
        self.read_answer()

    def read_answer(self):
        kind = None
        while kind != b"Z":
            kind, length = struct.unpack(">cI", self.lines.read(5))
            self.lines.read(length - 4)
            assert kind != b"E"

    def send(self, kind, payload):
        self.connection.sendall(kind + struct.pack(">I", 4 + len(payload)) + payload)

    def ask(self, statement):
        self.send(b"Q", statement.encode() + b"\0")
        self.read_answer()

    def fail_to_copy(self, statement):
        """The server reads on behind its error, in reads of their own, without a word."""
        self.send(b"Q", statement.encode() + b"\0")
        self.send(b"d", b"no number\n")
        kind = None
        while kind != b"Z":
            kind, length = struct.unpack(">cI", self.lines.read(5))
            self.lines.read(length - 4)
        for kind, payload in (b"d", b"1\n" * 4), (b"c", b""):
            self.connection.sendall((kind + struct.pack(">I", 4 + len(payload)) + payload) * (500 if payload else 1))
            wait_until("the server has read it", lambda: not self.nr_unread())

    def nr_unread(self):
        return struct.unpack("i", fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4)))[0]


# pgbench's own script, as wperf folds it.
TPCB = (
    "BEGIN",
    "UPDATE pgbench_accounts SET abalance = abalance + ? WHERE aid = ?",
    "SELECT abalance FROM pgbench_accounts WHERE aid = ?",
    "UPDATE pgbench_tellers SET tbalance = tbalance + ? WHERE tid = ?",
    "UPDATE pgbench_branches SET bbalance = bbalance + ? WHERE bid = ?",
    "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (?, ?, ?, ?, CURRENT_TIMESTAMP)",
    "END",
)


def is_not_of_pgbench(request):
    """It looks at its tables before it begins, in small letters."""
    return not request["endpoint"].startswith("select ")


def check_postgres():
    home, _, postmaster = start_postgres()
    nr, nr_clients = 200, 2
    try:
        pgbench = (*AS_POSTGRES, "pgbench", "-h", home)
        run(*pgbench, "-i", "-q", "postgres", cwd=home)
        for mode in ("simple", "extended", "prepared"):
            with recorded(postmaster) as recording:
                run(*pgbench, "-n", "-M", mode, "-t", str(nr), "-c", str(nr_clients), "postgres", cwd=home)
            want = {statement: nr * nr_clients for statement in TPCB}
            want["(startup)"] = nr_clients + 1
            if mode == "prepared":
                want.update({"PREPARE " + statement: nr_clients for statement in TPCB})
            check_counts("postgres, " + mode, recording, want, is_one=is_not_of_pgbench,
                         key=lambda request: re.sub(r"\$\d+", "?", request["endpoint"]))

        client = Postgres(home)
        client.ask("CREATE TABLE numbers(n int)")
        with recorded(postmaster) as recording:
            for _ in range(5):
                client.fail_to_copy("COPY numbers FROM STDIN")
                client.ask("SELECT 77")
        got = collections.Counter(request["path"] for request in requests_of(recording, "--path-raw"))
        equal("postgres, behind a COPY that fails", got, {"COPY numbers FROM STDIN": 5, "SELECT 77": 5})
        step("postgres, behind a COPY that fails: %d requests" % sum(got.values()))

        def connect():
            client = Postgres(home)
            return lambda key: client.ask("SELECT 1 AS %s" % key)
        check_middle("postgres", postmaster, connect,
                     lambda request: request["path"].rpartition(" AS ")[2] or None)
    finally:
        os.kill(postmaster, signal.SIGINT)


def check_encrypted():
    """What clients ask for over TLS is not seen, and is said; the same server's other connections are."""
    key, certificate = path("server.key"), path("server.crt")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key,
        "-out", certificate)
    for name in key, certificate:
        shutil.chown(name, "postgres", "postgres")
    port = free_port()
    options = ("listen_addresses=127.0.0.1", "port=%d" % port, "ssl=on", "ssl_key_file=" + key,
               "ssl_cert_file=" + certificate)
    _, _, postmaster = start_postgres(*(word for option in options for word in ("-c", option)), folder="encrypted")
    nr = 3
    try:
        with recorded(postmaster) as recording:
            for i in range(nr):
                for mode in "require", "disable":
                    run("psql", "-Atc", "select '%s'" % mode, "host=127.0.0.1 port=%d user=postgres sslmode=%s" %
                        (port, mode))
    finally:
        os.kill(postmaster, signal.SIGINT)
    got = collections.Counter(request["path"] for request in requests_of(recording, "--path-raw"))
    equal("postgres, TLS: requests", got, {"(startup)": nr, "select 'disable'": nr})
    profile = report(recording.file)
    check_clean("postgres, TLS", profile, but=("tls",))
    equal("postgres, TLS: connections", profile["tallies"]["tls"], nr)
    step("postgres, TLS: %d connections are said" % nr)


check_redis()
check_memcached()
check_postgres()
check_encrypted()
