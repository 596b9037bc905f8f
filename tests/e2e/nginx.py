#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's nginx, no debug symbols: one request is one call of an exported function. Attached by the
master's pid: the workers that it has count, and so do those that it forks later."""
import http.client

from servers import *

FUNCTION = "ngx_http_process_request"
CONFIG = """
daemon off; master_process on; worker_processes 2; user root;
pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport;
        location / {{ return 200 "hello\\n"; }}
    }}
}}
"""


def ask(port, times, per_connection=10):
    """New connections now and then: both workers get some."""
    for _ in range(times // per_connection):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        for i in range(per_connection):
            connection.request("GET", "/page/%d?q=x" % i)
            equal("status", connection.getresponse().read() and 200, 200)
        connection.close()


def start_nginx():
    port = free_port()
    with open(path("nginx.conf"), "w") as f:
        f.write(CONFIG.format(dir=scratch, port=port))
    master = start("nginx", "-p", scratch, "-c", path("nginx.conf"))
    wait_until("nginx answers", lambda: answers(port))
    wait_until("there are two workers", lambda: len(children(master.pid)) == 2)
    return master, port


master, port = start_nginx()
listed = wperf("probes", "-p", str(master.pid), FUNCTION).stdout
has("wperf probes", listed, "func:%s@nginx" % FUNCTION)

old_workers = set(children(master.pid))
recording = Recording("-p", master.pid, "--marker", "func:" + FUNCTION)
ask(port, 600)
wait_until_idle(*old_workers)
recording.stop()
profile = report(recording.file)
equal("requests", requests_by_path(profile), {FUNCTION: 600})
for tally in ("unfinished", "unmatched_ends"):
    equal(tally, profile["tallies"][tally], 0)
by_process = {g["path"]: g["requests"] for g in report(recording.file, "--by", "process")["groups"]
              if g["requests"]}
equal("requests by process", sum(by_process.values()), 600)
check(set(by_process) <= {"nginx/%d" % pid for pid in old_workers} and by_process,
      "not the workers %s: %s" % (old_workers, by_process))
step("600 requests by %s" % by_process)

recording = Recording("-p", master.pid, "--marker", "func:" + FUNCTION)
ask(port, 100)
master.send_signal(signal.SIGHUP)
wait_until("new workers have taken over", lambda: len(children(master.pid)) == 2 and
           not old_workers & set(children(master.pid)))
new_workers = set(children(master.pid))
ask(port, 500)
wait_until_idle(*new_workers)
recording.stop()
by_process = {g["path"]: g["requests"] for g in report(recording.file, "--by", "process")["groups"]
              if g["requests"]}
of_new = sum(by_process.get("nginx/%d" % pid, 0) for pid in new_workers)
equal("requests of workers forked after the attach", of_new, 500)
equal("requests before and after", sum(by_process.values()), 600)
step("reload: %s" % by_process)
stop(master)
