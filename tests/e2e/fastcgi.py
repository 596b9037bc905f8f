#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FastCGI as nginx speaks it, to a responder on TCP and on a Unix socket: the requests that wperf finds in the
responder are those that nginx's clients asked for, exactly."""
from clients import *
from servers import *

NGINX = """
daemon off; master_process off; user root; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
    fastcgi_param SCRIPT_NAME $fastcgi_script_name; fastcgi_param QUERY_STRING $query_string;
    fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param SERVER_NAME $server_name;
    upstream kept {{ server {where}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ fastcgi_pass {where}; }}
        location /kept/ {{ fastcgi_pass kept; fastcgi_keep_conn on; }}
    }}
}}
"""
# A responder (FastCGI 1.0, section 3): one request at a time on a connection, which stays if that is asked for.
# A hasty one answers when it has as many bytes of the body as it was told of, and reads that body's end, with nothing
# read ahead, when it waits for the next request, as php-fpm does.
RESPONDER = r"""
import os, socket, struct, sys, threading

def record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content

def length_in(params):
    at = params.find(b"CONTENT_LENGTH") + 14
    return int(params[at:at + params[at - 15]] or b"0")

def is_over(kind, content, params, body):
    if not is_hasty:
        return kind == 5 and not content
    return (kind == 5 and content or kind == 4 and not content) and body == length_in(params)

def serve(connection):
    source = connection.makefile("rb")
    read = (lambda n: n and connection.recv(n, socket.MSG_WAITALL) or b"") if is_hasty else source.read
    keeps, params, body = False, b"", 0
    while True:
        head = read(8)
        if len(head) < 8:
            return
        _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", head)
        content = read(length + padding)[:length]
        if kind == 1:
            keeps, params, body = bool(content[2] & 1), b"", 0
        elif kind == 4:
            params += content
        elif kind == 5:
            body += len(content)
        if is_over(kind, content, params, body):
            status = b"Status: 404 Not Found\r\n" if b"/nowhere" in params else b""
            text = status + b"Content-Type: text/plain\r\n\r\n" + b"%d bytes\n" % body
            connection.sendall(record(6, text) + record(6, b"") + record(3, bytes(8)))
            if not keeps:
                return

where, is_hasty = sys.argv[1], "hasty" in sys.argv
if where.startswith("/"):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where)
    listener.listen(100)
else:
    listener = socket.create_server(("127.0.0.1", int(where)), backlog=100)
print("ready", flush=True)

def run(connection):
    with connection:
        serve(connection)

while True:
    threading.Thread(target=run, args=(listener.accept()[0],), daemon=True).start()
"""


def check_responder(what, where, in_nginx, *how):
    responder = start_target("/usr/bin/python3", "-c", RESPONDER, where, *how, ready="ready")
    port = free_port()
    conf = write("nginx.conf", NGINX.format(dir=scratch, port=port, where=in_nginx))
    nginx = start("nginx", "-p", scratch, "-c", conf, stderr=subprocess.DEVNULL)
    wait_until("nginx answers", lambda: answers(port))
    asks = [("GET", "/a?b=c", 200, None), ("GET", "/kept/a", 200, None), ("POST", "/form", 200, b"name=value&" * 30),
            ("POST", "/kept/form", 200, b"name=value&" * 3000), ("GET", "/kept/nowhere", 404, None),
            ("GET", "/nowhere", 404, None)] * 15
    with recorded(responder.pid) as recording:
        in_threads(ask_http, (port, asks), (port, asks, 7), (port, asks, 1))
    check_counts(what, recording, http_books(asks * 3))
    check_middle(what, responder.pid, http_keys(port, "/kept/page"), http_key, status=200)
    stop(nginx, signal.SIGQUIT)
    stop(responder)


port = str(free_port())
check_responder("FastCGI", port, "127.0.0.1:" + port)
check_responder("FastCGI on a Unix socket", path("fcgi"), "unix:" + path("fcgi"))
check_responder("FastCGI, bodies' ends read late", path("hasty"), "unix:" + path("hasty"), "hasty")
