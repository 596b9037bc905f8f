# SPDX-License-Identifier: Apache-2.0
"""Real servers on loopback, each with the load that its own people put on it: what stacks.py compares
and what the bench measures. A server is made, serves while `with server.load():` lasts, and is ended by
its own pid."""
import contextlib
import glob
import http.client
import pwd
import random
import socket

from lib import *

FLASK_APP = """
from flask import Flask, jsonify, render_template_string
app = Flask(__name__)

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

@app.route("/")
def index():
    return jsonify(fib=fib(12), rows=sorted(range(500), key=lambda i: -i))

@app.route("/page")
def page():
    return render_template_string("{% for i in items %}<li>{{ i }}</li>{% endfor %}", items=range(100))

if __name__ == "__main__":
    app.run(port=PORT, threaded=THREADED)
"""
NODE_APP = """
const http = require("http");
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
function row(i) { return { id: i, name: "item " + i, even: i % 2 === 0 }; }
http.createServer((req, res) => {
    const rows = [];
    for (let i = 0; i < 200; i++) rows.push(row(i));
    rows.sort((a, b) => b.name.localeCompare(a.name));
    res.end(JSON.stringify({ fib: fib(20), rows: JSON.parse(JSON.stringify(rows)) }));
}).listen(PORT, "127.0.0.1");
"""
NGINX_CONF = """
daemon off; master_process on; worker_processes 2; user root;
pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {dir}/access.log; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    gzip on; gzip_min_length 1; gzip_types *;
    server {{
        listen 127.0.0.1:{port} reuseport;
        location / {{ root {dir}; }}
    }}
}}
"""
AS_POSTGRES = ("runuser", "-u", "postgres", "--")
STATEMENTS = """
SELECT sum(x * 3) FROM generate_series(1, 2000) AS x WHERE x > 5;
SELECT t.id, count(*) FROM things t JOIN things u ON t.id % 50 = u.id % 50 WHERE t.id < 20 GROUP BY t.id
    ORDER BY 2 DESC, 1;
"""


def free_port():
    """None of those that connections take by themselves (ip_local_port_range), which may have it next."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def write(name, text):
    with open(path(name), "w") as f:
        f.write(text)
    return path(name)


@contextlib.contextmanager
def repeated(*argv, **options):
    """A program that puts load on something for as long as it is let, again and again."""
    command = 'while "$@" >/dev/null 2>&1; do :; done'
    process = start("setsid", "sh", "-c", command, "sh", *argv, **options)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)


class Server:
    """pid: what to attach to. load(): a context in which it is busy."""

    def __init__(self, name, process, load, pid=None, port=None):
        self.name, self.process, self.load, self.port = name, process, load, port
        self.pid = pid or process.pid

    def stop(self):
        os.kill(self.pid, signal.SIGINT if self.name == "postgres" else signal.SIGTERM)
        self.process.wait(PATIENCE)


def of_http(name, port, *argv, path_asked="/", nr_connections=2):
    process = start(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=scratch)
    wait_until(name + " answers", lambda: answers(port))
    return Server(name, process, lambda: repeated(
        "wrk", "-t1", "-c%d" % nr_connections, "-d60", "http://127.0.0.1:%d%s" % (port, path_asked)),
        port=port)


def flask(threaded=False):
    """Debian's python3, whatever else is called python3 here."""
    port = free_port()
    text = FLASK_APP.replace("PORT", str(port)).replace("THREADED", str(threaded))
    return of_http("python3", port, "/usr/bin/python3", write("flask_app.py", text))


def flask_threads():
    """A thread a connection, of which each has one request: a quarter of the time goes into clone()."""
    return flask(threaded=True)


def node(*options):
    port = free_port()
    return of_http("node", port, "node", *options, write("app.js", NODE_APP.replace("PORT", str(port))))


def nginx():
    port = free_port()
    write("page.html", "".join("<p>paragraph %d of a page</p>\n" % (i * i) for i in range(700)))
    conf = write("nginx.conf", NGINX_CONF.format(dir=scratch, port=port))
    return of_http("nginx", port, "nginx", "-p", scratch, "-c", conf, path_asked="/page.html")


def redis():
    port = free_port()
    process = start("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no", "--dir", scratch, stdout=subprocess.DEVNULL)
    wait_until("redis answers", lambda: answers(port))
    return Server("redis-server", process, lambda: repeated(
        "redis-benchmark", "-p", str(port), "-q", "-n", "200000", "-c", "4",
        "-t", "set,get,incr,lpush,lrange_100,zadd,hset,mset"), port=port)


def start_postgres(*options, folder="postgres"):
    """Listens on a socket in the scratch folder only: (that folder, the program, the postmaster's pid)."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    check(found, "PostgreSQL is not installed")
    home, user = path(folder), pwd.getpwnam("postgres")
    os.mkdir(home)
    os.chown(home, user.pw_uid, user.pw_gid)
    run(*AS_POSTGRES, found[-1] + "/initdb", "-D", home + "/data", "-A", "trust", "--no-sync", cwd=home)
    process = start(*AS_POSTGRES, found[-1] + "/postgres", "-D", home + "/data", "-k", home,
                    "-c", "listen_addresses=", "-c", "fsync=off", "-c", "autovacuum=off", *options,
                    cwd=home, stderr=subprocess.DEVNULL)
    pid_file = home + "/data/postmaster.pid"

    def postmaster():
        if not os.path.exists(pid_file):
            return None
        with open(pid_file) as f:
            lines = f.read().split("\n")
        return int(lines[0]) if "ready   " in lines else None
    return home, process, wait_until("postgres is ready", postmaster)


def postgres():
    home, process, pid = start_postgres()
    run(*AS_POSTGRES, "psql", "-h", home, "-q", "-c",
        "CREATE TABLE things AS SELECT id, 'thing ' || id AS name FROM generate_series(1, 500) AS id",
        cwd=home)
    os.chmod(write("statements.sql", STATEMENTS), 0o644)
    return Server("postgres", process, lambda: repeated(
        *AS_POSTGRES, "pgbench", "-n", "-h", home, "-c", "2", "-T", "60", "-f", path("statements.sql"),
        "postgres", cwd=home), pid=pid)


ALL = (flask, nginx, redis, postgres, node)
