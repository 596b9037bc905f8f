#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a thread does behind its answer is its request's also where the thread then ends, by whatever way, and leaves its
connection to the kernel or to other threads. Both ways of seeing a server's connections."""
import collections
import socket

from clients import *

NR, BURN_NS = 5, 20 * 1000 * 1000
WAYS_TO_END = "/exits", "/returns", "/left", "/killed", "/replaced"

# A process each connection.
SERVER = r"""
import os, signal, socket, threading, time
done = threading.Event()
def serve(client, goes_on=False):
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    end = time.thread_time_ns() + %d
    while time.thread_time_ns() < end:
        pass
    done.set()
    while goes_on:
        pass
def serve_in_thread(client, goes_on):
    threading.Thread(target=serve, args=(client, goes_on), daemon=True).start()
    done.wait()
def serve_and_end(client):
    path = client.recv(4096, socket.MSG_PEEK).split()[1]
    if path == b"/exits":
        serve(client)
        os._exit(0)
    serve_in_thread(client, goes_on=path != b"/returns")
    if path == b"/killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == b"/replaced":
        os.execv("/bin/true", ["true"])
    while path == b"/returns" and len(os.listdir("/proc/self/task")) > 1:
        time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    client = listener.accept()[0]
    if not os.fork():
        serve_and_end(client)
    client.close()
""" % BURN_NS


def ask(port, target):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\n\r\n" % target.encode())
        while connection.recv(1000):
            pass


for way in "traces", "calls":
    os.environ["WPERF_SOCKETS"] = way
    server = start_target("/usr/bin/python3", "-c", SERVER, ready=r"port (\d+)")
    with recorded(server.pid) as recording:
        for target in WAYS_TO_END * NR:
            ask(int(server.ready[1]), target)
    requests = requests_of(recording)
    equal("requests by " + way, collections.Counter(r["path"] for r in requests), {target: NR for target in WAYS_TO_END})
    least = {target: min(r["cpu"] for r in requests if r["path"] == target) for target in WAYS_TO_END}
    check(all(cpu >= BURN_NS / 1e9 for cpu in least.values()), "on the CPU behind the answer, by %s: %r" % (way, least))
    stop(server)
    step("by %s: at least %r s on the CPU" % (way, least))
