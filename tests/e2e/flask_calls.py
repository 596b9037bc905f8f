#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table that Werkzeug's ProfilerMiddleware makes inside of a server is the one that is made from outside.

Server A runs an application as it is, and its calls are counted. Server B is the same one inside
ProfilerMiddleware. Both are asked the same; then each Python function below the application's call has the
same file, line, name, calls and primitive calls in both, and none is in one only.
"""
import glob
import marshal
import urllib.request

from servers import *

PYTHON = "/usr/bin/python3"
PLAIN = '''
from flask import Flask

def fib(n):
    return fib(n - 1) + fib(n - 2) if n > 2 else 1

app = Flask(__name__)

@app.route("/")
def index():
    return str(fib(20))

@app.route("/hello")
def hello():
    return "Hello World!"

if __name__ == "__main__":
    import sys
    app.run(port=int(sys.argv[1]))
'''
RICH = '''
import gc
gc.disable()  # what it calls back would run in whichever request comes by

import asyncio
import contextlib
import functools
import sys
import threading
import time

from flask import Flask, render_template_string

app = Flask(__name__)
PAGE = """{% macro item(x) %}<li>{{ x|upper }}</li>{% endmacro %}
<ul>{% for x in names %}{{ item(x) }}{% endfor %}</ul>{{ twice(21) }}"""

flask_app = app.wsgi_app

def whole(environ, start_response):
    response = flask_app(environ, start_response)
    try:
        return [b"".join(response)]
    finally:
        response.close()

# What runs through the response afterwards runs through a list: all of a request is below one call.
app.wsgi_app = whole

def traced(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

class Shape:
    count = 0

    def __init__(self, side):
        self.side = side

    @property
    def area(self):
        return self.measure()

    def measure(self):
        raise NotImplementedError

    @classmethod
    def make(cls, side):
        return cls(side)

    @staticmethod
    def order(shape):
        return shape.side

    def __lt__(self, other):
        return self.side < other.side

class Square(Shape):
    def measure(self):
        return self.side ** 2

class Cube(Square):
    def measure(self):
        return super().measure() * self.side

def count_to(n):
    for i in range(n):
        yield i

def walk(tree):
    for node in tree:
        if isinstance(node, list):
            yield from walk(node)
        else:
            yield node

def answering():
    total = 0
    try:
        while True:
            total += yield total
    except KeyError:
        yield -1
    finally:
        cleaned()

def cleaned():
    pass

def fails(depth):
    if not depth:
        raise ValueError(depth)
    return fails(depth - 1)

def rescued(depth):
    try:
        return fails(depth)
    except ValueError as e:
        return str(e)

@contextlib.contextmanager
def opened(name):
    yield name

def is_even(n):
    return n == 0 or is_odd(n - 1)

def is_odd(n):
    return n != 0 and is_even(n - 1)

@traced
def added(a, b=1):
    return a + b

@functools.lru_cache
def cached(n):
    return n if n < 2 else cached(n - 1) + cached(n - 2)

async def one(n):
    await asyncio.sleep(0)
    return n

async def several(n):
    return sum([await one(i) for i in range(n)])

async def streamed(n):
    for i in range(n):
        yield i

async def collected(n):
    return [i async for i in streamed(n)]

def driven(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as e:
        return e.value

def größe(n):
    return n

@app.route("/generators")
def generators():
    g = answering()
    next(g)
    for i in range(5):
        g.send(i)
    thrown = g.throw(KeyError)
    g.close()
    half = count_to(10)
    next(half)
    del half
    return str([list(count_to(7)), list(walk([1, [2, [3, 4], 5], [6]])), thrown, sum(i * i for i in range(9))])

@app.route("/classes")
def classes():
    shapes = sorted([Cube.make(3), Square.make(2), Shape.make(1)])
    shapes.sort(key=Shape.order)
    return str([s.area for s in shapes[1:]])

@app.route("/exceptions")
def exceptions():
    with opened("x") as x, contextlib.suppress(ZeroDivisionError):
        rescued(10)
        1 / 0
    return x

@app.route("/fails")
def always_fails():
    return fails(3)

@app.route("/nested")
def nested():
    def outer(n):
        def inner(m):
            return m if not m else inner(m - 1) + n
        return inner(n)
    square = lambda x: x * x
    return str([outer(4), list(map(square, range(5))), is_even(9), added(1, b=2), added(3), cached(12),
                größe(3), {square(i): outer(i) for i in range(3)}, [*filter(lambda x: x & 1, range(9))]])

@app.route("/coroutines")
def coroutines():
    return str([driven(several(4)), driven(collected(3))])

@app.route("/template")
def template():
    return render_template_string(PAGE, names=["a", "b", "c"], twice=lambda n: 2 * n)

@app.route("/deep")
def deep():
    def down(n):
        return n and down(n - 1)
    return str(down(700))

def busy():
    while True:
        for _ in count_to(3):
            added(1)
        time.sleep(0.001)

threading.Thread(target=busy, daemon=True).start()

if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
'''
PROFILED = '''
import os
import sys
from {module} import app
from werkzeug.middleware.profiler import ProfilerMiddleware

wrapped = ProfilerMiddleware(app, stream=None, profile_dir={dir!r},
                             filename_format="{{method}}.{{path}}." + str(os.getpid()) + ".{{time:.9f}}.prof")
if __name__ == "__main__":
    from werkzeug.serving import run_simple
    run_simple("127.0.0.1", int(sys.argv[1]), wrapped, threaded=True)
'''
ROOT_FUNCTION = "__call__"  # flask.app.Flask's: what the server calls


# ---- B ----

def is_of_middleware(key):
    return key[0].endswith("/middleware/profiler.py")


def is_application(key):
    return key[2] == ROOT_FUNCTION and key[0].endswith("/flask/app.py")


def below_application(stats):
    """{(file, line, name): (calls, primitive)} of what runs below Flask.__call__.

    The middleware also runs through the response and closes it. Those calls are taken off: all that is
    called from there only, and what that calls. What the application calls through the middleware is not.
    """
    outside = {key for key in stats if is_of_middleware(key) and key[2] != "catching_start_response"}
    while True:
        more = {key for key, (*_, callers) in stats.items()
                if key not in outside and callers and set(callers) <= outside and not is_application(key)}
        if not more:
            break
        outside |= more
    found = {}
    for key, (primitive, calls, _, _, callers) in stats.items():
        if key in outside or key[0] == "~" or is_of_middleware(key):
            continue
        for caller, (sub_calls, sub_primitive, _, _) in callers.items():
            if caller in outside and not is_application(key):
                calls -= sub_calls
                primitive -= sub_primitive
        if calls:
            found[key] = (calls, primitive)
    return found


def profiles_of(folder, path_asked):
    """Of each request of that path, in the order of their answers."""
    name = path_asked.strip("/").replace("/", ".") or "root"
    found = []
    for file in sorted(glob.glob("%s/GET.%s.*.prof" % (folder, name)), key=os.path.getmtime):
        with open(file, "rb") as f:
            found.append(below_application(marshal.load(f)))
    return found


# ---- A ----

def functions_of(g):
    return {(f["file"], f["line"], f["function"]): (f["ncalls"], f["primitive_calls"])
            for f in g["functions"] if f["ncalls"]}


def ask(port, path_asked):
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path_asked), timeout=PATIENCE) as r:
            return r.read()
    except urllib.error.HTTPError as e:
        return e.read()


def added_up(tables):
    total = {}
    for table in tables:
        for key, (calls, primitive) in table.items():
            c, p = total.get(key, (0, 0))
            total[key] = (c + calls, p + primitive)
    return total


def is_same(key, got, want):
    """cProfile keeps one of the code objects that have the same place, as those of namedtuple() do; we add them up."""
    if key[0] == "<string>" and got and want:
        return got >= want
    return got == want


def compare(what, got, want):
    for key in sorted(set(got) | set(want)):
        check(is_same(key, got.get(key), want.get(key)), "%s, %s:%d(%s): %s from outside, %s from inside" %
              (what, *key, got.get(key), want.get(key)))


def start_server(module, *argv):
    port = free_port()
    process = start(*[a.format(port=port) for a in argv], cwd=scratch, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    wait_until(module + " listens", lambda: answers(port))
    return process, port


def check_application(module, text, paths, a_argv, b_argv):
    folder = path("profiles." + module)
    os.mkdir(folder)
    write(module + ".py", text)
    write(module + "_b.py", PROFILED.format(module=module, dir=folder))
    a, port_a = start_server(module, *a_argv)
    b, port_b = start_server(module + "_b", *b_argv)
    # What is different the first time, is so in both: the same requests come first to each.
    recording = Recording("-p", a.pid, "--calls", "python", "--marker", "http:%d" % port_a)
    for path_asked in paths:
        equal("answer of " + path_asked, ask(port_a, path_asked), ask(port_b, path_asked))
    time.sleep(0.5)
    recording.stop()
    nr = 0
    for path_asked in sorted(set(paths)):
        want = wait_until("profiles of " + path_asked,
                          lambda: (lambda f: len(f) == paths.count(path_asked) and f)(profiles_of(folder, path_asked)))
        got = group(report(recording.file, "--root", ROOT_FUNCTION), path_asked)
        compare(path_asked, functions_of(got), added_up(want))
        nr += len(functions_of(got))
    b.terminate()
    a.terminate()
    step("%s: %d rows of %d paths" % (a_argv[0].rsplit("/")[-1] + " " + module, nr, len(set(paths))))
    return recording


def check_live():
    """What Werkzeug prints for each request is printed while the server runs, from outside."""
    a, port = start_server("app", PYTHON, "app.py", "{port}")
    with open(path("live.out"), "w") as out, open(path("live.err"), "w") as talk:
        live = start(WPERF, "live", "-v", "-p", str(a.pid), "--calls", "python", "--marker", "http:%d" % port,
                     stdout=out, stderr=talk)
    wait_until("wperf live attaches", lambda: "wperf: attached" in open(path("live.err")).read())
    for _ in range(2):
        ask(port, "/")
    wait_until("two tables", lambda: open(path("live.out")).read().count("PATH: '/'") == 2)
    live.send_signal(signal.SIGINT)
    equal("exit status of wperf live", live.wait(PATIENCE), 0)
    a.terminate()
    text = open(path("live.out")).read()
    # Eighty dashes, the path, pstats' table: a line may tell more of the request in between.
    tables = re.findall(r"^-{80}\nPATH: '/'\n(?:[^\n]+\n)?"
                        r" +\d+ function calls \(\d+ primitive calls\) in \d+\.\d{3} seconds\n\n"
                        r"   Ordered by: internal time, call count\n\n"
                        r"   ncalls  tottime  percall  cumtime  percall filename:lineno\(function\)\n"
                        r"((?: .*\n)+)", text, re.M)
    equal("tables of live", len(tables), 2)
    for table in tables:
        check(re.search(r"^ *13529/1( +\d+\.\d{3}){4} \S*/app\.py:4\(fib\)$", table, re.M), "no fib in:\n" + table)
    step("live: 13529/1 for each request")


RICH_PATHS = ["/generators", "/classes", "/exceptions", "/fails", "/nested", "/coroutines", "/template", "/deep"]

recording = check_application("app", PLAIN, ["/", "/hello", "/hello"], (PYTHON, "app.py", "{port}"),
                              (PYTHON, "app_b.py", "{port}"))
table = wperf("report", "-i", recording.file, "--root", ROOT_FUNCTION).stdout
check(re.search(r"\n +13529/1 .* .*/app\.py:4\(fib\)\n", table), "no row 13529/1 of fib in:\n" + table)
check_live()
check_application("rich", RICH, RICH_PATHS * 2, (PYTHON, "rich.py", "{port}"), (PYTHON, "rich_b.py", "{port}"))
GUNICORN = ("/usr/bin/gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}")
# Which worker takes a request is chance, and the first one of each runs more.
WARM = "\nfor each in %r * 2:\n    app.test_client().get(each)\n" % RICH_PATHS
check_application("workers", RICH + WARM, RICH_PATHS * 3, (*GUNICORN, "workers:app"), (*GUNICORN, "workers_b:wrapped"))
