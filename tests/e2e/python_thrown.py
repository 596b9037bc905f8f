#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exceptions thrown into generators and coroutines: calls and callers as cProfile has them, and where it loses its way."""
from lib import *

PYTHON = "/usr/bin/python3"
PROGRAM = '''
import asyncio
import contextlib
import cProfile
import json
import sys
import types

def leaf():
    pass

def cleanup():
    leaf()

def fail():
    raise ValueError

@contextlib.contextmanager
def managed(swallows):
    leaf()
    try:
        yield
    except ValueError:
        cleanup()
        if not swallows:
            raise
    finally:
        leaf()

def managers():
    for swallows in (True, False, True):
        with contextlib.suppress(ValueError), managed(swallows):
            fail()
    with managed(True), managed(True):
        fail()
    with contextlib.ExitStack() as stack:
        for i in range(4):
            stack.enter_context(managed(i == 1))
        fail()

def inner():
    try:
        yield 1
        yield 2
    except KeyError:
        cleanup()
        yield 3
        return 7
    finally:
        leaf()

def outer():
    x = yield from inner()
    leaf()
    yield x

def outermost():
    x = yield from outer()
    leaf()
    yield x

def into(generator, exception):
    next(generator)
    try:
        generator.throw(exception)
    except exception:
        leaf()

def delegated():
    g = outermost()
    into(g, KeyError)
    list(g)
    into(outermost(), TypeError)
    g = outermost()
    next(g)
    g.close()

def recursive(n):
    try:
        if n:
            yield from recursive(n - 1)
        else:
            yield 0
    except KeyError:
        cleanup()
        raise

def chains():
    for n in (1, 5, 40, 300):
        into(recursive(n), KeyError)

def fresh():
    yield 1

def unstarted():
    for each in (fresh(), (leaf() for _ in range(3))):
        try:
            each.throw(KeyError)
        except KeyError:
            leaf()
    fresh().close()
    g = fresh()
    list(g)
    g.close()
    into((leaf() for _ in range(3)), KeyError)

class Iterator:
    def __iter__(self):
        return self

    def __next__(self):
        return 1

    def throw(self, *_):
        cleanup()
        return 2

    def close(self):
        leaf()

def over_iterator():
    yield from Iterator()

def iterators():
    g = over_iterator()
    into(g, KeyError)
    g.close()

async def sleeper(n):
    try:
        if n:
            await sleeper(n - 1)
        else:
            await asyncio.sleep(10)
    except asyncio.CancelledError:
        cleanup()
        raise
    finally:
        leaf()

async def swallows():
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        cleanup()
    await asyncio.sleep(0)
    leaf()

async def waits():
    await swallows()
    cleanup()

async def series():
    try:
        yield 1
        await asyncio.sleep(0)
        yield 2
    finally:
        cleanup()

@contextlib.asynccontextmanager
async def asynchronous():
    try:
        yield
    except ValueError:
        await asyncio.sleep(0)
        cleanup()

async def fails():
    await asyncio.sleep(0)
    fail()

async def cancels():
    for task in (sleeper(4), waits()):
        task = asyncio.ensure_future(task)
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sleeper(2), 0.01)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await sleeper(3)
    async for _ in series():
        leaf()
    g = series()
    await g.__anext__()
    with contextlib.suppress(KeyError):
        await g.athrow(KeyError)
    g = series()
    await g.__anext__()
    await g.aclose()
    async with asynchronous():
        fail()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(sleeper(1))
            group.create_task(fails())
    except* ValueError:
        leaf()

def loops():
    asyncio.run(cancels())

def returns():
    try:
        yield 1
    except KeyError:
        cleanup()
    return 5

def goes_on():
    x = yield from returns()
    cleanup()
    yield x
    cleanup()

def goes_on_and_ends():
    yield from returns()

def ended():
    for _ in range(3):
        g = goes_on()
        next(g)
        g.throw(KeyError)
        leaf()
        next(g, None)
        leaf()
    g = goes_on_and_ends()
    next(g)
    try:
        g.throw(KeyError)
    except StopIteration:
        leaf()

@types.coroutine
def old():
    try:
        yield 1
    except KeyError:
        cleanup()
    return 3

async def between():
    return await old()

async def new():
    await between()
    leaf()
    await old()
    leaf()

def coroutines():
    c = new()
    c.send(None)
    c.throw(KeyError)
    try:
        c.send(None)
    except StopIteration:
        leaf()

print("ready", flush=True)
for line in sys.stdin:
    name, how = line.split()
    profile = cProfile.Profile(builtins=False)
    if how == "traced":
        profile.runcall(globals()[name])
        profile.create_stats()
    else:
        globals()[name]()
    print(json.dumps([(key, row[:2], [(caller, nr[0]) for caller, nr in row[4].items()])
                      for key, row in getattr(profile, "stats", {}).items()]), flush=True)
'''


def traced(rows):
    """{(line, function): (calls, primitive calls, {caller: calls})} of the program's own."""
    return {(key[1], key[2]): (nr[1], nr[0], {caller[2]: n for caller, n in callers if caller[2] != "runcall"})
            for key, nr, callers in rows if key[0].endswith("/program.py")}


def counted(file):
    found = {}
    for g in report(file)["groups"]:
        for f in g["functions"]:
            if f["ncalls"] and f["file"].endswith("/program.py") and f["function"] != "<listcomp>":
                callers = {c["function"]: c["ncalls"] for c in f["callers"] if c["function"] not in ("runcall", "<module>")}
                found[f["line"], f["function"]] = (f["ncalls"], f["primitive_calls"], callers)
    return found


def go(name, how):
    """What cProfile says from inside, and what the report does."""
    process = start_target(PYTHON, path("program.py"), ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
    process.stdin.write("%s %s\n" % (name, how))
    process.stdin.flush()
    inside = traced(json.loads(process.stdout.readline()))
    recording.stop()
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    return inside, counted(recording.file)


def same(what, got, want):
    for key in sorted(set(got) | set(want)):
        equal("%s: %s" % (what, key), got.get(key), want.get(key))


def check_as_inside(name):
    want, got = go(name, "traced")
    same(name + ", traced", got, want)
    _, got = go(name, "plain")
    same(name, got, want)
    step("%s: %d functions as cProfile has them" % (name, len(want)))


def check_as_it_is(name, want):
    """
    What a generator waits for has ended by the exception: it goes on without the event that cProfile waits
    for, and leaves with one, for which cProfile takes its caller's away. Counted calls have it as it is.
    """
    for how in ("traced", "plain"):
        inside, got = go(name, how)
        same("%s, %s" % (name, how), {function: row for (_, function), row in got.items()}, want)
        inside = {function: row for (_, function), row in inside.items()}
        check(inside != want, "cProfile has learned it: " + name)
    step("%s: as it is" % name)


with open(path("program.py"), "w") as f:
    f.write(PROGRAM)
for each in ("managers", "delegated", "chains", "unstarted", "iterators", "loops"):
    check_as_inside(each)
check_as_it_is("ended", {
    "ended": (1, 1, {}),
    "goes_on": (9, 9, {"ended": 9}),
    "goes_on_and_ends": (2, 2, {"ended": 2}),
    "returns": (8, 8, {"goes_on": 3, "goes_on_and_ends": 1, "ended": 4}),
    "cleanup": (10, 10, {"goes_on": 6, "returns": 4}),
    "leaf": (17, 17, {"cleanup": 10, "ended": 7})})
check_as_it_is("coroutines", {
    "coroutines": (1, 1, {}),
    "new": (3, 3, {"coroutines": 3}),
    "between": (2, 2, {"new": 1, "coroutines": 1}),
    "old": (4, 4, {"between": 1, "new": 2, "coroutines": 1}),
    "cleanup": (1, 1, {"old": 1}),
    "leaf": (4, 4, {"cleanup": 1, "new": 2, "coroutines": 1})})
