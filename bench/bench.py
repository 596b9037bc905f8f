#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wperf and perf side by side: make bench, or bench/bench.py [CASE...].

Runs alternate between the two, so that what else the machine does falls on both. Shown are medians and,
in brackets, the smallest and the largest of the runs. Nothing here passes or fails.
"""
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


CASES = {"lost": bench_lost, "own_cpu": bench_own_cpu, "report": bench_report}


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
