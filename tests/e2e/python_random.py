#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs made at random: calls, primitive calls and callers of all their functions are those that cProfile has of the
same run. They are deterministic: what is called goes by a counter of their own.

python_random.py [SEED [NR]]"""
import collections
import random
import sys

from lib import *

PYTHON = "/usr/bin/python3"
SEED, NR = (int(a) for a in (sys.argv[1:] + ["20261128", "60"][len(sys.argv) - 1:]))

HEAD = """
import contextlib, functools, threading
state = [SEED]
fuel = [4000]
class Empty(Exception):
    pass
def draw(n):
    state[0] = state[0] * 1103515245 + 12345 & 0x7fffffff
    return (state[0] >> 8) % n
def burn():
    fuel[0] -= 1
    if fuel[0] < 0:
        raise Empty
"""

# Each makes a function fI(d). CALL is one of a function made before, with less to go.
SHAPES = ("""
def fI(d):
    return sum((CALL, CALL, CALL)) % 7
""", """
def fI(d):
    return fI(d - 1) + (CALL if draw(2) else fI(d - 2)) if d > 0 else 1
""", """
def even_I(d):
    return CALL if d <= 0 else odd_I(d - 1)
def odd_I(d):
    return CALL if d <= 0 else even_I(d - 1)
def fI(d):
    return even_I(d + draw(3))
""", """
def fI(d):
    n = 0
    def more(x):
        nonlocal n
        n += x
        if n < 3:
            more(CALL or 1)
        return n
    return more(1)
""", """
def fI(d):
    a = lambda x: b(x) + CALL
    b = lambda x: x + CALL
    return sorted(range(draw(4) + 1), key=a)[0] + sum(map(b, filter(
        lambda x: x % 2, range(draw(5)))))
""", """
def fI(d):
    return (sum([CALL for _ in range(draw(3) + 1)]) + len(
        {x: CALL for x in range(2)}) + sum(
        CALL for _ in range(draw(2) + 1)))
""", """
def wrap_I(f):
    @functools.wraps(f)
    def inner(*args, **more):
        burn()
        return f(*args, **more)
    return inner
@wrap_I
def fI(d, more=0):
    return CALL + functools.partial(draw, 2)() + more
""", """
class CI:
    def __init__(self, d):
        self.d = d
    def __getattr__(self, name):
        return draw(3)
    @classmethod
    def make(cls, d):
        return cls(d)
    @staticmethod
    def tell(d):
        return CALL
    @property
    def left(self):
        return self.d - 1
    def __call__(self, d):
        return CALL
    def __iter__(self):
        yield self.left
        yield self.none
    def __len__(self, d=2):
        return abs(CALL)
    def __lt__(self, other):
        return draw(2)
    def __del__(self):
        draw(2)
def fI(d):
    a, b = CI(d), CI.make(d)
    return a.left + a(d - 1) + CI.tell(d) + sum(b) + max(a, b).d + len(a)
""", """
def fI(d):
    if draw(3) == 0:
        raise ValueError(d)
    try:
        return CALL
    except ValueError:
        return CALL
    finally:
        draw(2)
""", """
def fI(d):
    for _ in range(3):
        try:
            if draw(2):
                continue
            return CALL
        finally:
            CALL
    return 0
""", """
@contextlib.contextmanager
def manage_I(d):
    burn()
    try:
        yield CALL
    finally:
        draw(2)
class Swallows_I:
    def __enter__(self):
        return draw(3)
    def __exit__(self, kind, *more):
        return kind is ValueError
def fI(d):
    with Swallows_I() as x, manage_I(d) as y:
        return x + y + CALL
    return 0
""", """
def make_I(d):
    for _ in range(draw(5)):
        yield CALL
def fI(d):
    return sum(make_I(d))
""", """
def make_I(d):
    try:
        while draw(4):
            burn()
            yield CALL
    finally:
        CALL
def fI(d):
    n = 0
    for x in make_I(d):
        n += x
        if not draw(4):
            break
    return n % 5
""", """
def inner_I(d):
    yield CALL
    if d > 0:
        yield from inner_I(d - 1)
    return 3
def outer_I(d):
    yield (yield from inner_I(d))
def fI(d):
    return sum(outer_I(d))
""", """
def echo_I():
    n = 0
    while True:
        x = yield n
        if x is None:
            return
        n += x
def fI(d):
    e = echo_I()
    next(e)
    for _ in range(3):
        n = e.send(CALL)
    return n % 5
""", """
def patient_I(d):
    try:
        yield 1
        yield CALL
    except ValueError:
        yield CALL
    finally:
        draw(2)
def fI(d):
    p = patient_I(d)
    next(p)
    if draw(2):
        return p.throw(ValueError())
    p.close()
    return CALL
""", """
async def below_I(d):
    burn()
    return CALL
async def above_I(d):
    return await below_I(d) + sum([x async for x in many_I(d)])
async def many_I(d):
    for _ in range(2):
        yield CALL
def fI(d):
    c = above_I(d)
    try:
        c.send(None)
    except StopIteration as stop:
        return stop.value
""")

TAIL = """
def main():
    for _ in range(3):
        for f in (FUNCTIONS):
            try:
                f(DEPTH)
            except (Empty, ValueError):
                pass
def main_in_threads():
    for thread in [threading.Thread(target=main) for _ in range(2)]:
        thread.start()
        thread.join()
"""

# Runs them: plain, or under cProfile, of which it prints {"function", or "caller calls function": numbers}.
RUNNER = """
import cProfile, gc, json, sys, threading
gc.disable()
sys.unraisablehook = lambda raised: None
programs = []
for file in sys.argv[2:]:
    programs.append({})
    exec(compile(open(file).read(), file, "exec"), programs[-1])
def run():
    for i, program in enumerate(programs):
        program["main_in_threads" if i % 3 == 0 else "main"]()
def profiled(f):
    def inner(*args):
        profiles.append(cProfile.Profile(builtins=False))
        profiles[-1].enable()
        f(*args)
        profiles[-1].disable()
    return inner
def name(code):
    return "%s:%d(%s)" % (code.co_filename, code.co_firstlineno, code.co_name)
profiles, found = [], {}
if sys.argv[1] == "plain":
    print("ready", flush=True)
    sys.stdin.readline()
    run()
    print("done", flush=True)
    sys.stdin.readline()
    sys.exit()
threading.Thread.run = profiled(threading.Thread.run)
profiled(run)()
for profile in profiles:
    for f in profile.getstats():
        numbers = found.setdefault(name(f.code), [0, 0])
        numbers[0] += f.callcount
        numbers[1] += f.callcount - f.reccallcount
        for called in f.calls or ():
            found.setdefault(name(f.code) + " calls " + name(called.code), [0])[0] += called.callcount
print(json.dumps({k: v for k, v in found.items() if all(n.split(":")[0] in sys.argv[2:] for n in k.split(" calls "))}))
"""


def make_program(seed):
    dice = random.Random(seed)
    nr, text = dice.randrange(6, 16), HEAD.replace("SEED", str(seed))
    for i in range(nr):
        shape = dice.choice(SHAPES).replace("_I", "_%d" % i).replace("CI", "C%d" % i)
        before, *behind = shape.replace("fI(", "f%d(" % i).split("CALL")
        text += before + "".join("f%d(d - 1)" % dice.randrange(i) + b if i and dice.random() < 0.9 else "draw(3)" + b
                                 for b in behind)
        text = text.replace("def f%d(d):\n" % i, "def f%d(d):\n    burn()\n    if d <= 0:\n        return 1\n" % i)
    return text + TAIL.replace("FUNCTIONS", ", ".join("f%d" % i for i in range(nr)) + ",").replace(
        "DEPTH", str(dice.randrange(3, 6)))


def counted(file):
    found = collections.defaultdict(lambda: [0, 0])
    for f in (f for group in report(file)["groups"] for f in group["functions"] if f["ncalls"]):
        name = "%s:%d(%s)" % (f["file"], f["line"], f["function"])
        if f["file"] not in files:
            continue
        found[name][0] += f["ncalls"]
        found[name][1] += f["primitive_calls"]
        for c in f["callers"]:
            if c["file"] in files and c["ncalls"]:
                called = found.setdefault("%s:%d(%s) calls %s" % (c["file"], c["line"], c["function"], name), [0])
                called[0] += c["ncalls"]
    return dict(found)


files = [path("made_%d.py" % i) for i in range(NR)]
for i, file in enumerate(files):
    with open(file, "w") as f:
        f.write(make_program(SEED + i))
with open(path("runner.py"), "w") as f:
    f.write(RUNNER)
want = json.loads(run(PYTHON, path("runner.py"), "profiled", *files).stdout)

def record():
    """What wperf has of a run, and how many calls it says it has lost."""
    process = start_target(PYTHON, path("runner.py"), "plain", *files, ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
    process.stdin.write("go\n")
    process.stdin.flush()
    equal("the target says", process.stdout.readline(), "done\n")
    recording.stop()
    process.communicate("end\n", timeout=PATIENCE)
    return counted(recording.file), report(recording.file)["tallies"]["calls_lost"]


# On a busy machine the kernel may refuse what is to be kept of a new thread; that is said.
for _ in range(3):
    got, nr_lost = record()
    if not nr_lost:
        break
wrong = ["%s: %s, not %s" % (name, got.get(name), want.get(name)) for name in sorted(set(want) | set(got))
         if got.get(name) != want.get(name)]
check(not wrong, "seed %d: %d of %d wrong, %d calls lost:\n%s" % (SEED, len(wrong), len(want), nr_lost, "\n".join(wrong[:20])))
step("seed %d: %d functions and calls of one by another, %d calls" %
     (SEED, len(want), sum(n[0] for name, n in want.items() if " calls " not in name)))
