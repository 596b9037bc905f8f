#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wperf and perf side by side: make bench, or bench/bench.py [CASE...].

Runs alternate between the two, so that what else the machine does falls on both. Shown are medians and,
in brackets, the smallest and the largest of the runs. Nothing here passes or fails.
"""
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

WPERF = os.path.abspath(os.environ.get("WPERF", "wperf"))
BUILD = os.environ.get("O", "build")
RUNS = int(os.environ.get("RUNS", "5"))


def spread(values, unit="", digits=2):
    return (f"{statistics.median(values):.{digits}f}{unit} "
            f"[{min(values):.{digits}f} .. {max(values):.{digits}f}]")


def line(what, ours, theirs, note=""):
    print(f"{what:46} {ours:28} {theirs:28} {note}", flush=True)


def run(argv, **kw):
    """Seconds, peak resident MB, own CPU seconds of one command and what it waited for."""
    begin = time.monotonic()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **kw)
    stderr = p.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    return {"s": time.monotonic() - begin, "mb": usage.ru_maxrss / 1024,
            "cpu": usage.ru_utime + usage.ru_stime, "status": p.returncode, "stderr": stderr}


def spin(threads, seconds, depth=18):
    return subprocess.Popen([f"{BUILD}/bench/spin", str(threads), str(seconds), str(depth)])


def record_wperf(pid, hz, seconds, out, *more):
    return [WPERF, "record", "-F", str(hz), "--call-graph", "fp", "--duration", str(seconds),
            "-p", str(pid), "-o", out, *more]


def record_perf(pid, hz, seconds, out, *more):
    return ["perf", "record", "-e", "cpu-clock", "-F", str(hz), "-g", "-p", str(pid), "-o", out, *more,
            "--", "sleep", str(seconds)]


def lost_of(path):
    """Lost records and samples of a recording, as perf itself counts them."""
    dump = subprocess.run(["perf", "report", "--stats", "-i", path], capture_output=True, text=True).stdout
    lost = re.search(r"^\s+LOST events:\s+(\d+)", dump, re.M)
    samples = re.search(r"^\s+SAMPLE events:\s+(\d+)", dump, re.M)
    lost_samples = re.search(r"# Total Lost Samples: (\d+)", subprocess.run(
        ["perf", "report", "--stdio", "-g", "none", "-i", path], capture_output=True, text=True).stdout)
    return (int(lost_samples.group(1)) if lost_samples else 0, int(lost.group(1)) if lost else 0,
            int(samples.group(1)) if samples else 0)


def bench_lost(tmp):
    """20 kHz on every CPU, all CPUs busy, for 10 s, default rings."""
    rows = {"wperf": [], "perf": []}
    for _ in range(max(1, RUNS // 2)):
        for name, make in (("wperf", record_wperf), ("perf", record_perf)):
            target = spin(os.cpu_count(), 12)
            time.sleep(0.3)
            out = os.path.join(tmp, f"{name}.lost")
            result = run(make(target.pid, 20000, 10, out))
            target.wait()
            lost_samples, lost_records, samples = lost_of(out)
            said = re.search(r"(\d+) lost in", result["stderr"])
            lost = max(lost_samples, lost_records, int(said.group(1)) if said else 0)
            rows[name].append((lost, samples, os.path.getsize(out) / 1e6))
    for i, what in enumerate(("lost records, 20 kHz, busy CPUs, 10 s", "  samples", "  file, MB")):
        line(what, *[spread([r[i] for r in rows[n]], digits=0) for n in ("wperf", "perf")])


def bench_own_cpu(tmp):
    """CPU seconds of the recorder itself, per second, at 999 Hz on every CPU, chains of 20."""
    pct = {"wperf": [], "perf": []}
    whole = {"wperf": [], "perf": []}
    for _ in range(RUNS):
        for name, make in (("wperf", record_wperf), ("perf", record_perf)):
            target = spin(os.cpu_count(), 23)
            time.sleep(0.3)
            once = run(make(target.pid, 999, 1, os.path.join(tmp, "short")))
            longer = run(make(target.pid, 999, 11, os.path.join(tmp, "long")))
            target.send_signal(signal.SIGKILL)
            target.wait()
            # What attaching and finishing cost is in both runs, and goes out with the difference.
            pct[name].append(100 * (longer["cpu"] - once["cpu"]) / 10)
            whole[name].append(longer["cpu"])
    line("own CPU recording at 999 Hz, % of one CPU", spread(pct["wperf"]), spread(pct["perf"]))
    line("  CPU of the whole command, 11 s, in s", spread(whole["wperf"]), spread(whole["perf"]))


def make_recording(path):
    subprocess.run([f"{BUILD}/bench/make_recording", path, "1000000", "20000", "20", "10000",
                    "/usr/bin/python3.11", "/usr/lib/x86_64-linux-gnu/libc.so.6"], check=True)


def bench_report(tmp):
    """A report on 1,000,000 samples with chains of 20: perf as it comes, and without inlined functions."""
    path = os.path.join(tmp, "million")
    make_recording(path)
    runs = max(1, RUNS // 5)  # perf takes minutes
    for what, more in (("report on 1,000,000 samples, s", []), ("  without inlines, s", ["--no-inline"])):
        seconds = {"wperf": [], "perf": []}
        mb = {"wperf": [], "perf": []}
        for _ in range(runs):
            for name, argv in (("wperf", [WPERF, "report", "-i", path]),
                               ("perf", ["perf", "report", "--stdio", "-i", path])):
                result = run(argv + more)
                seconds[name].append(result["s"])
                mb[name].append(result["mb"])
        ratio = statistics.median(seconds["perf"]) / statistics.median(seconds["wperf"])
        line(what, spread(seconds["wperf"]), spread(seconds["perf"]), f"{ratio:.1f} x")
        line("    peak resident, MB", spread(mb["wperf"], digits=0), spread(mb["perf"], digits=0))


# ---- whole stacks ----

STACK = 24576  # bytes: what wperf copies by default


def python_busy(seconds):
    """One CPU, saturated by Debian's python3: json, regular expressions, sorting, recursion."""
    return subprocess.Popen(["/usr/bin/python3", "-c", f"""
import json, re, time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    text = json.dumps({{str(i): [i, i * 0.5] for i in range(3000)}})
    json.loads(text, object_hook=lambda o: o)
    sorted(re.findall("[0-9]+", text), key=lambda s: -len(s))
    fib(15)
"""])


def unwind_wperf(pid, hz, seconds, out):
    return [WPERF, "record", "-e", "cpu-clock", "-F", str(hz), "--call-graph", f"dwarf,{STACK}",
            "--duration", str(seconds), "-p", str(pid), "-o", out]


def unwind_perf(pid, hz, seconds, out):
    return ["perf", "record", "-e", "cpu-clock", "-F", str(hz), "--call-graph", f"dwarf,{STACK}",
            "-p", str(pid), "-o", out, "--", "sleep", str(seconds)]


BOTH_UNWIND = (("wperf", unwind_wperf), ("perf", unwind_perf))


def bench_unwind_lost(tmp):
    """4 kHz on every CPU, all CPUs busy, for 10 s, default rings, stacks copied."""
    rows = {"wperf": [], "perf": []}
    for _ in range(max(1, RUNS // 2)):
        for name, make in BOTH_UNWIND:
            target = spin(os.cpu_count(), 12)
            time.sleep(0.3)
            out = os.path.join(tmp, f"{name}.lost")
            result = run(make(target.pid, 4000, 10, out))
            target.wait()
            said = re.search(r"(\d+) lost in", result["stderr"])
            lost_samples, lost_records, samples = lost_of(out)
            rows[name].append((max(lost_samples, lost_records, int(said.group(1)) if said else 0), samples))
            os.unlink(out)
    for i, what in enumerate(("lost records, 4 kHz with stacks, 10 s", "  samples")):
        line(what, *[spread([r[i] for r in rows[n]], digits=0) for n in ("wperf", "perf")])


def bench_unwind_record(tmp):
    """python3 saturating a CPU, 999 Hz: the recorder's own CPU, and what a sample takes in the file."""
    pct, per_sample = {"wperf": [], "perf": []}, {"wperf": [], "perf": []}
    for _ in range(RUNS):
        for name, make in BOTH_UNWIND:
            target = python_busy(30)
            time.sleep(0.3)
            short, out = os.path.join(tmp, "short"), os.path.join(tmp, "long")
            once, longer = run(make(target.pid, 999, 1, short)), run(make(target.pid, 999, 11, out))
            target.kill()
            target.wait()
            pct[name].append(100 * (longer["cpu"] - once["cpu"]) / 10)
            per_sample[name].append((os.path.getsize(out) - os.path.getsize(short)) /
                                    (lost_of(out)[2] - lost_of(short)[2]))
            os.unlink(out)
    line("own CPU at 999 Hz, stacks of python3, % of a CPU", spread(pct["wperf"]), spread(pct["perf"]))
    ratio = statistics.median(per_sample["perf"]) / statistics.median(per_sample["wperf"])
    line("  bytes of the recording a sample", spread(per_sample["wperf"], digits=0),
         spread(per_sample["perf"], digits=0), f"{ratio:.1f} x")


def dumps_of_python(tmp):
    """perf's recording of python3 with stack dumps, of 50 MB."""
    out = os.path.join(tmp, "dumps")
    target = python_busy(30)
    time.sleep(0.3)
    subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,16384",
                    "-p", str(target.pid), "-o", out, "--", "sleep", "6"], check=True)
    target.kill()
    target.wait()
    return out


def bench_unwind_report(tmp):
    """A report on perf's own recording of python3 with stack dumps; python3-dbg is installed."""
    out = dumps_of_python(tmp)
    seconds, mb = {"wperf": [], "perf": []}, {"wperf": [], "perf": []}
    for _ in range(max(1, RUNS // 2)):
        for name, argv in (("wperf", [WPERF, "report", "-i", out]),
                           ("perf", ["perf", "report", "--stdio", "-i", out])):
            result = run(argv)
            seconds[name].append(result["s"])
            mb[name].append(result["mb"])
    ratio = statistics.median(seconds["perf"]) / statistics.median(seconds["wperf"])
    line(f"report on stack dumps, {os.path.getsize(out) / 1e6:.0f} MB, s", spread(seconds["wperf"]),
         spread(seconds["perf"]), f"{ratio:.1f} x")
    line("    peak resident, MB", spread(mb["wperf"], digits=0), spread(mb["perf"], digits=0))
    said = subprocess.run([f"{BUILD}/bench/unwind_dumps", out, "50"], capture_output=True, text=True,
                          check=True).stdout.split()
    line("unwinding, warm, ns a frame", said[3], "", f"{int(said[1]) / int(said[0]):.0f} frames a stack, "
         f"{said[2]} ns cold")


NGINX = """
daemon off; master_process on; worker_processes {workers}; user root; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {dir}/access.log; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; sendfile on;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    keepalive_requests 100000000;
    server {{ listen 127.0.0.1:{port} reuseport; location / {{ root {dir}; }} }}
}}
"""


def start_nginx(tmp, port, nr_workers):
    """(process, the workers' pids); it serves a file of 20 KB."""
    with open(os.path.join(tmp, "nginx.conf"), "w") as f:
        f.write(NGINX.format(dir=tmp, port=port, workers=nr_workers))
    with open(os.path.join(tmp, "file"), "wb") as f:
        f.write(os.urandom(20 * 1024))
    os.chmod(tmp, 0o755)
    master = subprocess.Popen(["nginx", "-p", tmp, "-c", os.path.join(tmp, "nginx.conf")])
    return master, nginx_workers(master.pid, nr_workers)


def nginx_workers(master, nr_workers):
    """Waits for them; their pids."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with open(f"/proc/{master}/task/{master}/children") as f:
            pids = [int(pid) for pid in f.read().split()]
        if len(pids) == nr_workers:
            return pids
        time.sleep(0.05)
    sys.exit("bench: nginx does not start")


def cpu_of(pids):
    """Seconds on the CPU, user and system, by the scheduler."""
    seconds = 0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat") as f:
            seconds += int(f.read().split()[0]) / 1e9
    return seconds


def under_wrk(workers, port, recorder, wrk=("wrk",), seconds=4):
    """Requests a second, and the workers' CPU microseconds a request, while the recorder runs."""
    p = subprocess.Popen(recorder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) if recorder else None
    time.sleep(1)
    before = cpu_of(workers)
    said = subprocess.run([*wrk, "-t1", "-c16", f"-d{seconds}", f"http://127.0.0.1:{port}/file"],
                          capture_output=True, text=True, check=True).stdout
    cpu = cpu_of(workers) - before
    if p:
        p.send_signal(signal.SIGINT)
        p.wait()
    nr = int(re.search(r"(\d+) requests in", said)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), 1e6 * cpu / nr


def bench_sockets(tmp):
    """nginx, 2 workers, a file of 20 KB, saturated by wrk: what recording costs it."""
    port = 8973
    master, workers = start_nginx(tmp, port, 2)
    out = os.path.join(tmp, "sockets")
    ours = [WPERF, "record", "-q", "-p", str(master.pid), "-o", out]
    ways = {"not profiled": None,
            "wperf 999 Hz": [*ours, "-F", "999"],
            "perf 999 Hz": ["perf", "record", "-q", "-F", "999", "-e", "cpu-clock", "--call-graph", "dwarf", "-p",
                            ",".join(map(str, workers)), "-o", out],
            "wperf 99 Hz": [*ours, "-F", "99"]}
    rows = {way: [] for way in ways}
    for _ in range(RUNS):
        for way, recorder in ways.items():
            rows[way].append(under_wrk(workers, port, recorder))
    master.terminate()
    master.wait()
    free = statistics.median(r[0] for r in rows["not profiled"])
    for way, runs in rows.items():
        share = 100 * statistics.median(r[0] for r in runs) / free
        line(f"nginx, {way}: requests/s", spread([r[0] for r in runs], digits=0), "",
             f"{share:.1f} % of not profiled")


def bench_marks(tmp):
    """What marks add to the CPU time, user and system, of a worker of nginx that has a CPU to itself: six system calls
    a request. Both recordings sample 10 times a second."""
    port = 8973
    master, workers = start_nginx(tmp, port, 1)
    os.sched_setaffinity(workers[0], {0})
    without = [WPERF, "record", "-q", "-p", str(master.pid), "-o", os.path.join(tmp, "marks"), "-F", "10", "--marker", "none"]
    us = {"without": [], "with": []}
    for _ in range(2 * RUNS):
        us["without"].append(under_wrk(workers, port, without, ("taskset", "-c", "1", "wrk"), 2)[1])
        us["with"].append(under_wrk(workers, port, without[:-2], ("taskset", "-c", "1", "wrk"), 2)[1])
    master.terminate()
    master.wait()
    line("nginx, CPU of a request, us", spread(us["without"]), "", "no marks")
    line("  added by marks, us", spread([b - a for a, b in zip(us["without"], us["with"])]), "",
         f"mean {statistics.mean(us['with']) - statistics.mean(us['without']):.2f}")


# ---- many connections ----

NR_CONNECTIONS, NR_REQUESTS = 10000, 200000


def start_until(argv, words, stream):
    """A program in the background, which has said these words on that stream of its own."""
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, **{
        "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: subprocess.PIPE})
    for said in getattr(p, stream):
        if words in said:
            return p, said
    sys.exit(f"bench: {argv[0]} does not say {words}")


def peak_mb(p, is_told=True):
    """Ends it; the peak of its resident memory, or of a process that it waited for, in MB."""
    if is_told:
        p.send_signal(signal.SIGINT)
    stderr = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit(f"bench: {' '.join(p.args)}: {stderr}")
    return usage.ru_maxrss / 1024, stderr


def under_connections(make):
    """What make(pid of the server) starts sees all of them open at a time, and all requests; its peak."""
    server, said = start_until([f"{BUILD}/examples/server", "--epoll", "--port", "0"], "listening", "stdout")
    recorder, _ = start_until(make(server.pid), "attached", "stderr")
    client, _ = start_until(["bench/connections.py", said.rpartition(":")[2].strip(), str(NR_CONNECTIONS),
                             str(NR_REQUESTS)], "answered", "stdout")
    time.sleep(0.5)
    peak = peak_mb(recorder)
    client.communicate()
    server.terminate()
    server.wait()
    return peak


def requests_in(path):
    """(MB, requests) of wperf requests --summary."""
    said = subprocess.Popen([WPERF, "requests", "-i", path, "--summary", "--format", "jsonl", "-o",
                             path + ".summary"], stderr=subprocess.PIPE, text=True)
    mb, _ = peak_mb(said, is_told=False)
    with open(path + ".summary") as f:
        return mb, sum(json.loads(endpoint)["requests"] for endpoint in f)


def bench_memory(tmp):
    """10,000 connections open, 200,000 requests, on all connections at a time."""
    out = os.path.join(tmp, "connections")
    mb = {"record": [], "report": [], "requests --summary": [], "live": []}
    counts, lost = [], []
    for _ in range(max(1, RUNS // 2)):
        peak, said = under_connections(lambda pid: [WPERF, "record", "-v", "-p", str(pid), "-o", out])
        mb["record"].append(peak)
        lost.append(int(re.search(r"(\d+) lost in", said)[1]))
        mb["report"].append(run([WPERF, "report", "-i", out])["mb"])
        peak, nr = requests_in(out)
        mb["requests --summary"].append(peak)
        counts.append(nr)
        mb["live"].append(under_connections(
            lambda pid: [WPERF, "live", "-v", "--format", "jsonl", "-p", str(pid)])[0])
    line(f"{NR_CONNECTIONS} connections, {NR_REQUESTS} requests: seen", spread(counts, digits=0), "",
         f"{max(lost)} lost")
    for what, values in mb.items():
        line(f"  wperf {what}: peak resident, MB", spread(values, digits=0), "")


def bench_calls(tmp):
    """A counted call whose first instruction the kernel does not emulate; probes on a thousand functions of a
    process with a thousand threads."""
    runs = [[float(x) for x in subprocess.run([f"{BUILD}/bench/count_calls"], capture_output=True, text=True,
                                              check=True).stdout.split()] for _ in range(RUNS)]
    entry, placed, attach, detach = zip(*runs)
    ratio = statistics.median(e / p for e, p in zip(entry, placed))
    line("a counted call, probe as placed, us", spread([n / 1000 for n in placed]), "", f"1/{ratio:.1f} of the next")
    line("  probe on the first instruction, us", spread([n / 1000 for n in entry]), "")
    line("1000 probes, 1000 threads: attach, ms", spread(attach, digits=0), "")
    line("  detach, ms", spread(detach, digits=0), "")


PYTHON = "/usr/bin/python3"
PYTHON_CALLS = """
import sys, time
if sys.argv[1] == "traced": sys.setprofile(slice)
def f(): pass
def calls(n):
    for i in range(n): f()
calls(100)
print("ready", flush=True)
for line in sys.stdin:
    best = float("inf")
    for i in range(64):
        begin = time.thread_time()
        calls(2000)
        best = min(best, time.thread_time() - begin)
    print(best / 2000 * 1e6, flush=True)
"""
NR_PYTHON_CALLS = 64 * 2001


def interrupt(process):
    """What it said since; again and again, since bpftrace may miss it where it has just begun."""
    while True:
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=5)[0]
        except subprocess.TimeoutExpired:
            pass


def us_of_python_call(how, counter=None, is_on=""):
    """One process, whose calls the command that counter() gives counts; (us of a call, what the command said)."""
    target = subprocess.Popen([PYTHON, "-c", PYTHON_CALLS, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    target.stdout.readline()
    said = ""
    if counter:
        process = subprocess.Popen(counter(target.pid), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while is_on not in said:
            said += process.stdout.readline() or sys.exit(said)
        time.sleep(0.5)
    target.stdin.write("go\n")
    target.stdin.flush()
    us = float(target.stdout.readline())
    if counter:
        said += interrupt(process)
    target.stdin.close()
    target.wait()
    return us, said


def bench_python_calls(tmp):
    """What it adds to a call of a Python function that wperf counts and times it, and that bpftrace counts the hits of
    both USDT probes. CPython 3.11 passes function__entry only in a thread that has a profile function (here a C one that
    does next to nothing): there both see both ends of a call; else bpftrace sees the return alone."""
    usdt = "usdt:" + os.path.realpath(PYTHON) + ":python:function__%s"
    script = ('BEGIN { printf("on\\n"); } ' + usdt % "entry" + " { @entries = count(); } " +
              usdt % "return" + " { @returns = count(); }")
    counters = {"wperf": (lambda pid: [WPERF, "record", "-v", "--calls", "python", "--marker", "none", "-p", str(pid),
                                       "-o", f"{tmp}/python.data"], "wperf: attached"),
                "bpftrace": (lambda pid: ["bpftrace", "-p", str(pid), "-e", script], "\non\n")}
    added = {(who, how): [] for who in counters for how in ("plain", "traced")}
    hits = {"plain": [], "traced": []}
    taken_out = []
    for _ in range(RUNS):
        for how in hits:
            free, _ = us_of_python_call(how)
            for who, counter in counters.items():
                us, said = us_of_python_call(how, *counter)
                added[who, how].append(us - free)
                if who == "wperf" and how == "plain":
                    taken_out.append(2 * float(re.search(r"probes' own ([\d.]+) us a hit", said)[1]))
            hits[how].append(sum(int(n) for n in re.findall(r"@\w+: (\d+)", said)) / NR_PYTHON_CALLS)

    for how, what in (("plain", "us"), ("traced", "with a profile function, us")):
        line("a Python call, " + what, spread(added["wperf", how]), spread(added["bpftrace", how]),
             f"{statistics.median(w / b for w, b in zip(added['wperf', how], added['bpftrace', how])):.2f} x bpftrace")
        line("  probes hit", "", spread(hits[how]))
    line("  taken out of the times, us a call", spread(taken_out), "")


CASES = {"calls": bench_calls, "python_calls": bench_python_calls, "sockets": bench_sockets, "marks": bench_marks, "memory": bench_memory, "lost": bench_lost, "own_cpu": bench_own_cpu, "report": bench_report,
         "unwind_lost": bench_unwind_lost, "unwind_record": bench_unwind_record,
         "unwind_report": bench_unwind_report}


def main():
    wanted = sys.argv[1:] or list(CASES)
    unknown = [w for w in wanted if w not in CASES]
    if unknown:
        sys.exit(f"bench: no case {unknown[0]}; there are {', '.join(CASES)}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(f"{RUNS} runs, alternated; median [min .. max]; {os.cpu_count()} CPUs, {os.uname().release}")
    line("", "wperf", "perf")
    with tempfile.TemporaryDirectory(prefix="wperf-bench-") as tmp:
        for name in wanted:
            CASES[name](tmp)


if __name__ == "__main__":
    main()
