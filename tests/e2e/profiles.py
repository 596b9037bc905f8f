#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Flask server inside of Werkzeug's ProfilerMiddleware, which writes a .prof a request, and wperf live
and wperf report outside of it, which write theirs: one a request, under the names that Werkzeug gives,
each of which Python's pstats reads; and nothing that was there is overwritten."""
import http.client
import pty
import resource
import time
from urllib.parse import unquote

from clients import *
from servers import free_port, answers, write

PYTHON = "/usr/bin/python3"
APP = """
from flask import Flask
from werkzeug.middleware.profiler import ProfilerMiddleware
app = Flask(__name__)

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

@app.route("/", methods=["GET", "POST"])
@app.route("/<path:path>", methods=["GET", "POST"])
def index(path=""):
    return str(fib(18))

app.wsgi_app = ProfilerMiddleware(app.wsgi_app, stream=None, profile_dir="DIR")
app.run(port=PORT)
"""
ASKED = [("GET", "/"), ("GET", "/?query=1"), ("POST", "/"), ("GET", "/user/17"), ("GET", "/user/17/"),
         ("GET", "/a//b///c"), ("GET", "/%2e%2e/etc%2Fpasswd"), ("GET", "/caf%C3%A9"), ("GET", "/caf%c3%a9?x"),
         ("GET", "/a%20b%25c"), ("GET", "/.hidden"), ("HEAD", "/head")] * 3
want = collections.Counter(
    (method, unquote(asked_path.partition("?")[0]).strip("/").replace("/", ".") or "root")
    for method, asked_path in ASKED)
NAME = re.compile(r"([A-Z]+)\.(.+)\.(\d+)ms\.(\d+)(?:\.\d+(?:-\d+)?)?\.prof")


def ask_all():
    for method, asked_path in ASKED:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request(method, asked_path, b"a=b" if method == "POST" else None)
        answer = connection.getresponse()
        answer.read()
        check(answer.status < 500, "%s %s: status %d" % (method, asked_path, answer.status))
        connection.close()


def names(folder):
    return sorted(os.listdir(path(folder)))


def method_and_path(name):
    found = NAME.fullmatch(name)
    check(found, "no name as Werkzeug gives it: %r" % name)
    return found[1], found[2]


def werkzeugs(folder):
    """WSGI hands bytes on as Latin-1, and Werkzeug's names show it."""
    for name in names(folder):
        method, shown = method_and_path(name)
        yield method, shown.encode("latin-1").decode("utf-8")


def read_by_python(folder):
    """Each one, and all of them added; returns the functions of the sum."""
    files = [os.path.join(path(folder), name) for name in names(folder)]
    text = run(PYTHON, os.path.join(ROOT, "tests/prof_referee.py"), *files).stdout
    lines = text[text.index("\nall\n"):].splitlines()
    return [line.split("\t") for line in lines if line.count("\t") > 3 and not line.startswith("< ")]


def bytes_of(folder):
    contents = {}
    for name in names(folder):
        with open(os.path.join(path(folder), name), "rb") as f:
            contents[name] = f.read()
    return contents


os.mkdir(path("theirs"))
port = free_port()
app = write("app.py", APP.replace("PORT", str(port)).replace("DIR", path("theirs")))
server = start(PYTHON, app, cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wait_until("flask answers", lambda: answers(port))


# ---- as they end ----
class Live:
    def __init__(self, *args, preexec_fn=die_with_parent):
        self.process = subprocess.Popen(
            [WPERF, "live", "-v", "-p", str(server.pid), *args], stderr=subprocess.PIPE, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=preexec_fn)
        started.append(self.process)
        for line in iter(self.process.stderr.readline, ""):
            if line == "wperf: attached\n":
                return
        fail("wperf live ended early")

    def end(self, status=0):
        self.process.send_signal(signal.SIGINT)
        talk = self.process.stderr.read()
        equal("exit status: " + talk, shell_status(self.process.wait(PATIENCE)), status)
        return talk


live = Live("--profile-dir", path("live"))
begin = time.time()
ask_all()
end = time.time()
wait_until("a file a request", lambda: os.path.isdir(path("live")) and len(names("live")) == len(ASKED))
talk = live.end()
has("what live says", talk, "wperf: %d requests in %s, a .prof each\n" % (len(ASKED), path("live")))
has("what live says", talk, "calls that nobody counted are 0 in a .prof")
equal("names of Werkzeug", set(werkzeugs("theirs")), set(want))
equal("names of wperf live", collections.Counter(map(method_and_path, names("live"))), want)
times = [int(NAME.fullmatch(name)[4]) for name in names("live")]
check(all(begin - 1 <= each <= end + 1 for each in times), "%r is not between %f and %f" % (times, begin, end))
rows = read_by_python("live")
check(rows, "no functions in all the files together")
step("live: %d files of %d requests, whose names Werkzeug gives to its %d; %d functions in them" %
     (len(names("live")), len(ASKED), len(names("theirs")), len(rows)))

live = Live("--profile-dir", path("same"), "--filename-format", "{status:04d}.prof")
ask_all()
wait_until("a file a request", lambda: os.path.isdir(path("same")) and len(names("same")) == len(ASKED))
live.end()
equal("names that collide", {re.sub(r"\.\d+\.prof", ".N.prof", name) for name in names("same")},
      {"0200.prof", "0200.N.prof"})
step("live: one name for all, and still %d files" % len(ASKED))



def limit_files():
    die_with_parent()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_MAX, FILE_MAX))


# Only a file without functions is that small.
FILE_MAX = 300
live = Live("--profile-dir", path("full"), preexec_fn=limit_files)
wait_until("a file is too large", lambda: ask_all() or live.process.poll() is not None)
talk = live.process.stderr.read()
equal("exit status with a full disk: " + talk, live.process.returncode, USAGE)
check(re.search(r"^wperf: cannot write %s/GET\.\S+\.prof: File too large$" % path("full"), talk, re.M), talk)
check(all(bytes_of("full").values()), "an empty file was left")
if names("full"):
    read_by_python("full")
step("live: a full disk ends it, and the %d files that are there are whole" % len(names("full")))

# ---- from a recording ----
with recorded(server.pid) as recording:
    ask_all()
done = wperf("report", "-i", recording.file, "--profile-dir", path("report"))
equal("names of wperf report", collections.Counter(map(method_and_path, names("report"))), want)
before = bytes_of("report")
wperf("report", "-i", recording.file, "--profile-dir", path("report"))
after = bytes_of("report")
equal("files after a second time", len(after), 2 * len(ASKED))
equal("the files of the first time", {name: after[name] for name in before}, before)
equal("what is in the second", sorted(after.values()), sorted(2 * list(before.values())))

# The files, added by pstats, are the profile of all that was in requests.
profile = report(recording.file, "--by", "none", "--path", "^/")
sums = {(f["file"], f["line"] or 0, f["function"]): (f["tottime"], f["cumtime"])
        for g in profile["groups"] for f in g["functions"]}
wperf("report", "-i", recording.file, "--profile-dir", path("again"))
added = {(file, int(line), name): (float.fromhex(own), float.fromhex(cum))
         for file, line, name, _, _, own, cum in read_by_python("again") if name != "<no samples>"}
equal("functions", set(added), set(sums))
for function, numbers in sums.items():
    check(all(abs(got - number) < 1e-9 for got, number in zip(added[function], numbers)),
          "%r: %r, not %r" % (function, added[function], numbers))
wperf("report", "-i", recording.file, "--format", "pstats", "--path", "^/", "-o", path("all.prof"))
text = run(PYTHON, os.path.join(ROOT, "tests/prof_referee.py"), path("all.prof")).stdout
equal("functions of all in one", len(re.findall(r"^[^<\n].*\t.*\t", text[:text.index("\nall\n")], re.M)), len(sums))
step("report: %d files twice, nothing overwritten; added they are the %d functions of all" %
     (len(before), len(sums)))

lines = wperf("report", "-i", recording.file, "--format", "folded").stdout.splitlines()
amounts = collections.Counter()
for line in lines:
    stack, _, amount = line.rpartition(" ")
    amounts[stack.partition(";")[0]] += int(amount)
equal("nanoseconds of --format folded", amounts, collections.Counter(
    {((g["method"] + " " if g["method"] else "") + g["path"]): round(g["time"] * 1e9)
     for g in report(recording.file)["groups"] if g["samples"]}))
scoped = json.loads(wperf("report", "-i", recording.file, "--format", "speedscope").stdout)
equal("nanoseconds of --format speedscope", collections.Counter(
    {p["name"]: sum(p["weights"]) for p in scoped["profiles"]}), amounts)
step("%d folded stacks hold all the time that the tables do" % len(lines))

# What wperf prints of them is what pstats prints of the file, but for what only pstats has to have.
PRINT = """
import pstats, sys
stats = pstats.Stats(sys.argv[1]).sort_stats(*sys.argv[2].split(","))
stats.print_stats(*[float(r) if "." in r else int(r) if r.isdigit() else r for r in sys.argv[3:]])
"""


def order_and_rows(text):
    """The lines above the columns, and of each row its times and its function."""
    lines = text[text.index("   Ordered by: "):].splitlines()
    title = next(i for i, line in enumerate(lines) if "filename:lineno(function)" in line)
    rows = re.findall(r"^ *\S+ +(\d+\.\d{3})(?: +-)? +(\d+\.\d{3})(?: +-)? +(\S.*)$",
                      "\n".join(lines[title + 1:]), re.M)
    return lines[:title], rows


for sort, restrictions in (("time,nfl", ["0.5"]), ("cumulative,nfl", ["10"]), ("nfl", ["Py", "0.5", "3"]),
                           ("calls,time,stdname", ["app"]), ("file,line,name", ["Objects", "5"])):
    ours = wperf("report", "-i", recording.file, "--by", "none", "--path", "^/", "--sort", sort,
                 *[word for r in restrictions for word in ("--restrict", r)]).stdout
    theirs = run(PYTHON, "-c", PRINT, path("all.prof"), sort, *restrictions).stdout
    head, rows = order_and_rows(ours)
    check((head, rows) == order_and_rows(theirs),
          "--sort %s --restrict %s:\n%snot\n%s" % (sort, restrictions, ours[:2000], theirs[:2000]))
    check(rows and len([line for line in head if "List reduced" in line]) == len(restrictions), ours)
step("what --sort and --restrict print is what pstats prints of the file")

# ---- counted calls ----
NR_FIBS = 5
example = start_target(os.path.join(BUILD, "examples/server"), ready=r"listening on 127\.0\.0\.1:(\d+)")
with recorded(example.pid, args=("--calls", "fib", "--calls", "serve_fib")) as counted:
    for _ in range(NR_FIBS):
        connection = http.client.HTTPConnection("127.0.0.1", int(example.ready[1]), timeout=PATIENCE)
        connection.request("GET", "/fib?n=15")
        equal("status of /fib", connection.getresponse().status, 200)
        connection.close()
done = wperf("report", "-i", counted.file, "--path", "^/", "--profile-dir", path("counted"))
check(re.search(r"^ *9865/5 .*\(fib\)$", done.stdout, re.M), "fib is not 9865/5 in:\n" + done.stdout)
equal("files with counts", len(names("counted")), NR_FIBS)
text = run(PYTHON, os.path.join(ROOT, "tests/prof_referee.py"),
           *[os.path.join(path("counted"), name) for name in names("counted")]).stdout
counts = collections.Counter(re.findall(r"^(< |(?!< ))[^\t]*\t\d+\t(fib|serve_fib)\t(\d+)\t(\d+)\t", text, re.M))
# Of each request 1973 calls of fib, 1972 of them by itself, two of those by the first; and all of them added.
for mark, name, calls, primitive_calls, times in (
        ("", "fib", 1973, 1, NR_FIBS), ("< ", "fib", 1972, 2, NR_FIBS), ("< ", "serve_fib", 1, 1, NR_FIBS),
        ("", "serve_fib", 1, 1, NR_FIBS), ("", "fib", 9865, 5, 1), ("< ", "fib", 9860, 10, 1)):
    equal("%s%s %d/%d" % (mark, name, calls, primitive_calls),
          counts[(mark, name, str(calls), str(primitive_calls))], times)
stop(example)
step("counted calls: fib is 1973/1 in each of %d files, and 9865/5 in all" % NR_FIBS)

controller, terminal = pty.openpty()
done = wperf("report", "-i", recording.file, "--format", "pstats", status=USAGE, stdout=terminal)
equal("a .prof for a terminal", done.stderr,
      "wperf: --format pstats: its bytes are not for a terminal\n"
      "Write them to a file with -o FILE, or redirect stdout.\n")
wperf("report", "-i", recording.file, "--format", "pstats", "-o", path("not.shown"), stdout=terminal)
step("a terminal is spared")
