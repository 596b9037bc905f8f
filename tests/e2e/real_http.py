#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers of HTTP as they are installed, nothing named and nothing configured: the requests that wperf
finds by their sockets are those that the clients asked for, exactly."""
from clients import *
from servers import *

NGINX = """
daemon off; master_process on; worker_processes 2; user root;
pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {dir}/access.log; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    sendfile on;
    upstream kept {{ server 127.0.0.1:{upstream}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port} reuseport;
        listen 127.0.0.1:{behind} proxy_protocol;
        location / {{ root {dir}; }}
        location /form {{ return 201 "made\\n"; }}
        location /up/ {{ proxy_pass http://127.0.0.1:{upstream}/; }}
        location /kept/ {{
            proxy_pass http://kept/; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
}}
"""


def start_nginx():
    upstream = start_target(os.path.join(BUILD, "examples", "server"),
                            ready=r"listening on 127\.0\.0\.1:(\d+)")
    port, behind = free_port(), free_port()
    write("page.html", "<p>a page</p>\n" * 100)
    write("large.bin", "x" * 3000000)
    conf = write("nginx.conf", NGINX.format(dir=scratch, port=port, behind=behind, upstream=upstream.ready[1]))
    master = start("nginx", "-p", scratch, "-c", conf, stderr=subprocess.DEVNULL)
    wait_until("nginx answers", lambda: answers(port))
    wait_until("there are two workers", lambda: len(children(master.pid)) == 2)
    return master, port, behind, upstream


def check_nginx(master, port):
    form = b"name=value&" * 500
    asks = [("GET", "/page.html?v=1", 200, None), ("GET", "/none", 404, None),
            ("POST", "/form", 201, b"a=b"), ("POST", "/form", 201, form), ("POST", "/form", 201, form * 40),
            ("HEAD", "/page.html", 200, None), ("GET", "/page.html", 200, None),
            ("HEAD", "/large.bin", 200, None), ("GET", "/large.bin", 200, None)] * 20
    with recorded(master.pid) as recording:
        in_threads(ask_http, (port, asks), (port, asks, 7), (port, asks, 1))
    check_counts("nginx", recording, http_books(asks * 3))

    with recorded(master.pid) as recording:
        nr, spare = wrk(port, "/page.html")
    got = len([r for r in requests_of(recording) if r["elapsed"] is not None])
    check(nr <= got <= nr + spare, "nginx under wrk: %d requests, wrk had %d, and asked for up to %d more" %
          (got, nr, spare))
    step("nginx under wrk: %d requests, wrk had %d" % (got, nr))
    check_middle("nginx", master.pid, http_keys(port, "/page.html"), http_key, status=200, nr=500)


def ask_behind_proxy(port, header, parts):
    """On one connection, behind a proxy's header: with the first request, or before it. The other lines nginx takes, too,
    or says that it does not."""
    lines = ("GET /page.html?1", "GET  /page.html?2", "GET /none", "LONG-METHOD-THAT-NOBODY-HAS-EVER-ASKED-FOR /page.html",
             "HEAD /page.html")
    want = collections.Counter()
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        file = connection.makefile("rb")
        for i, line in enumerate(lines):
            data = (line + " HTTP/1.1\r\nHost: x\r\n\r\n").encode()
            if not i and parts > 1:
                connection.sendall(header)
                time.sleep(0.05)
            connection.sendall(data if i or parts > 1 else header + data)
            status, length = int(file.readline().split()[1]), 0
            while (field := file.readline()) != b"\r\n":
                length = int(field.split()[1]) if field.lower().startswith(b"content-length:") else length
            file.read(0 if line.startswith("HEAD") else length)
            method, asked_for = line.split()
            want[method, asked_for.partition("?")[0], status] += 1
    return want


def check_behind_proxy(master, port):
    binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + b"\xdc\4\0\x50"
    want = collections.Counter()
    with recorded(master.pid) as recording:
        for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 80\r\n", binary):
            for parts in (1, 2):
                want += ask_behind_proxy(port, header, parts)
    check_counts("nginx, told whose a connection is", recording, want)


def check_proxy(master, port, upstream):
    asks = [("GET", "/up/json?n=20", 200, None), ("GET", "/kept/json?n=10", 200, None),
            ("GET", "/up/nowhere", 404, None), ("GET", "/kept/fib?n=3", 200, None)] * 25
    books = http_books(asks * 2)
    with recorded(master.pid) as recording:
        in_threads(ask_http, (port, asks), (port, asks, 7))
    check_counts("nginx as a proxy", recording, books)

    behind = http_books([(m, re.sub("^/(up|kept)", "", p), s, b) for m, p, s, b in asks * 2])
    with recorded(master.pid, upstream.pid) as recording:
        in_threads(ask_http, (port, asks), (port, asks, 7))
    check_counts("nginx and what is behind it", recording, books + behind)
    for request in requests_of(recording):
        is_before = request["path"].startswith(("/up", "/kept"))
        check((request["pid"] != upstream.pid) == is_before, "of the wrong process: %r" % request)
    for kept in ("up", "kept"):
        check_middle("nginx as a proxy, /%s/" % kept, master.pid, http_keys(port, "/%s/fib" % kept), http_key,
                     status=200)


def start_gunicorn(*options):
    port = free_port()
    text = FLASK_APP + """
@app.route("/form", methods=["POST"])
def form():
    from flask import request
    return "%d bytes\\n" % len(request.get_data()), 201
"""
    write("flask_app.py", text.replace("PORT", str(port)).replace("THREADED", "False"))
    process = start("/usr/bin/gunicorn", "--chdir", scratch, "--bind", "127.0.0.1:%d" % port,
                    "--log-level", "error", *options, "flask_app:app", cwd=scratch)
    wait_until("gunicorn answers", lambda: answers(port))
    return process, port


def check_gunicorn(what, *options):
    process, port = start_gunicorn(*options)
    asks = [("GET", "/", 200, None), ("GET", "/page?x=1", 200, None), ("GET", "/none", 404, None),
            ("POST", "/form", 201, b"name=value&" * 300), ("HEAD", "/page", 200, None)] * 15
    with recorded(process.pid) as recording:
        in_threads(ask_http, (port, asks), (port, asks, 7), (port, asks, 1))
    check_counts(what, recording, http_books(asks * 3))
    check_middle(what, process.pid, http_keys(port, "/page"), http_key, nr=60, status=200)
    stop(process)


FORKING_APP = """
import http.server, socketserver

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\\n")

    def log_message(self, *args):
        pass

class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    request_queue_size = 64

Server(("127.0.0.1", PORT), Handler).serve_forever()
"""


# Its child ends without a word, and with it the answer, of which nothing else says how long it is.
HASTY_CHILD = """
    def shutdown_request(self, request):
        os._exit(0)
"""


def check_forking():
    """Parent and child have the connection, and the parent closes its descriptor at some time."""
    hasty = FORKING_APP.replace("HTTP/1.1", "HTTP/1.0").replace('self.send_header("Content-Length", "3")', "pass")
    hasty = hasty.replace("import ", "import os, ").replace("queue_size = 64\n", "queue_size = 64\n" + HASTY_CHILD)
    for what, text, lengths in (("a process for each connection", FORKING_APP, (1, 2, 20)),
                                ("one that ends without closing it", hasty, (1, 1, 1))):
        port = free_port()
        server = start("/usr/bin/python3", write("forking_app.py", text.replace("PORT", str(port))))
        wait_until("the forking server answers", lambda: answers(port))
        asks = [("GET", "/a", 200, None), ("GET", "/b", 200, None)] * 10
        with recorded(server.pid) as recording:
            in_threads(ask_http, *((port, asks, length) for length in lengths))
        check_counts(what, recording, http_books(asks * 3))
        stop(server)


def check_node():
    server = node()
    port = server.port
    asks = [("GET", "/a?b=c", 200, None), ("POST", "/form", 200, b"name=value&" * 300),
            ("HEAD", "/head", 200, None)] * 40
    with recorded(server.pid) as recording:
        in_threads(ask_http, (port, asks), (port, asks, 7), (port, asks, 1))
    check_counts("node", recording, http_books(asks * 3))
    check_middle("node", server.pid, http_keys(port, "/"), http_key, status=200)
    server.stop()


master, port, behind, upstream = start_nginx()
check_nginx(master, port)
check_behind_proxy(master, behind)
check_proxy(master, port, upstream)
stop(master)
stop(upstream)
check_gunicorn("gunicorn, sync workers", "--workers", "2", "--worker-class", "sync")
check_gunicorn("gunicorn, threads", "--workers", "1", "--worker-class", "gthread", "--threads", "4")
check_forking()
check_node()
