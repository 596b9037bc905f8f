# SPDX-License-Identifier: Apache-2.0
"""What Python's own pstats prints for random numbers: the referee of tables.

Writes to stdout, for check_table.c:

    key WORD ORDER_TEXT                 a sort key or prefix; ORDER_TEXT is "-" if it is none
    case SECONDS_PER_WEIGHT NR_FUNCTIONS NR_SORT NR_RESTRICTIONS NR_BYTES
    FILE LINE NAME STD_NAME PRIMITIVE_CALLS CALLS SELF CUM         NR_FUNCTIONS lines, by STD_NAME
    SORT                                NR_SORT lines
    RESTRICTION                         NR_RESTRICTIONS lines
    (NR_BYTES bytes: what print_stats() printed)

Fields are separated by tabs. The seed is fixed: every run gives the same cases.
"""

import io
import pstats
import random
import sys

SEED = 20240229
NR_MIXED = 500
NR_FRACTIONS = 200
# What Werkzeug's ProfilerMiddleware is given as sort_by and restrictions, mostly.
USUAL = [(["calls"], ["10"]), (["calls"], ["0.5"]), (["calls"], ["app"]), (["calls"], []), ([], ["30"]),
         (["cumulative"], ["10"]), (["cumtime", "calls"], ["0.1", "app"]), (["time", "calls"], ["app", "5"]),
         (["tottime"], ["0.5", "0.5", "3"]), (["ncalls"], ["10", "no such"]), (["pcalls"], ["50"])]
NR_USUAL = 20

FILES = ["app.py", "/usr/lib/python3.11/json/decoder.py", "~", "a b.c", "x:1(y)", "", "ä.py",
         "日本.rs", "z.php", "lib.so.6", "<frozen importlib._bootstrap>", "[kernel]", "Z.py",
         "\U0001f40d.py"]
NAMES = ["fib", "<module>", "<built-in method builtins.len>", "<lambda>", "f(int, char*)",
         "ns::g<T>", "operator()", "naïve", "関数", "", "a'b", 'a"b', "it's \"so\"", "0x1234",
         "x" * 120, "$", "nan", "\U0001d49c", "Fib", "_", "<odd", "odd>"]
RESTRICTIONS = ["10", "0", "1", "-1", "3", "7", "1000000", "1_0", " 5 ", "+4", "007",
                "99999999999999999999", "0.5", ".5", "0.25", "1e-05", "0.001", "1.0", "2.5", "-0.5",
                "0.999999", "5e-1", ".1_5", "0.0", "1.", "0.1e1", "fib", "^app", r"\(f", "0x12",
                "'", '"', "['\"]", r"\d+\(", "(?i)FIB", "py|so", "$", r"\)$",
                "(?P<first>.)(?P=first)", "ä|日", r"^\W", r"\w{40}", "[^(]*:0", "no such",
                "", "1 2", "5e", "e5", "--1", "1__0", "_1", ".", "-"]
KEYS = list(pstats.Stats.sort_arg_dict_default)


class Numbers:
    """What pstats takes a profiler for."""

    def __init__(self, stats):
        self.stats = stats

    def create_stats(self):
        pass


def typed_value(text):
    """int, float or str, as pstats' own command line reads a word."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def random_count(rng):
    return rng.choice([0, 1, 1, 2, rng.randrange(10), rng.randrange(1000), rng.randrange(10**9),
                       10**12])


def random_weight(rng):
    return rng.choice([0, 0, 1 << 20, 1 << 20, rng.randrange(1 << 20), rng.randrange(1 << 34),
                       rng.randrange(1 << 41)])


def random_functions(rng, nr):
    functions = {}
    for _ in range(nr):
        line = rng.choice([0, 0, 1, 2, 10, 9, rng.randrange(100000)])
        func = (rng.choice(FILES), line, rng.choice(NAMES))
        nc = random_count(rng)
        cc = rng.choice([nc, nc, nc, random_count(rng) % (nc + 1), 0])
        std = pstats.func_std_string(func)
        functions[std] = (func, cc, nc, random_weight(rng), random_weight(rng))
    return [(std, *functions[std]) for std in sorted(functions)]


def taken_prefixes():
    return sorted(pstats.Stats().get_sort_arg_defs())


def write_keys(out):
    taken = pstats.Stats().get_sort_arg_defs()
    words = {key[:end] for key in KEYS for end in range(1, len(key) + 1)}
    words |= {"", "file ", "Time", "times", "tottime1", "ncallss", "cum", "cumul", "0", "-1",
              "calls cumtime"}
    for word in sorted(words):
        out.write("key\t%s\t%s\n" % (word, taken[word][1] if word in taken else "-"))


def write_case(out, functions, scale, sort, restrictions):
    stats = {func: (cc, nc, tt * scale, ct * scale, {}) for _, func, cc, nc, tt, ct in functions}
    stream = io.StringIO()
    printer = pstats.Stats(Numbers(stats), stream=stream)
    printer.sort_stats(*(sort or ["time", "calls"]))
    printer.print_stats(*[typed_value(text) for text in restrictions])
    text = stream.getvalue().encode()
    out.write("case\t%s\t%d\t%d\t%d\t%d\n" % (scale.hex(), len(functions), len(sort),
                                               len(restrictions), len(text)))
    for std, (file, line, name), cc, nc, tt, ct in functions:
        out.write("%s\t%d\t%s\t%s\t%d\t%d\t%d\t%d\n" % (file, line, name, std, cc, nc, tt, ct))
    for line in sort + restrictions:
        out.write(line + "\n")
    out.flush()
    out.buffer.write(text)
    out.buffer.flush()


def write_mixed(out, rng):
    """Everything at once."""
    prefixes = taken_prefixes()
    for _ in range(NR_MIXED):
        functions = random_functions(rng, rng.choice([1, 2, 5, 30, 200]))
        sort = [rng.choice(prefixes) for _ in range(rng.randrange(4))]
        restrictions = [rng.choice(RESTRICTIONS) for _ in range(rng.randrange(4))]
        write_case(out, functions, rng.choice([2.0**-30, 1e-9]), sort, restrictions)


def write_fractions(out, rng):
    """The rounding of counts, and the repr() of fractions short and long."""
    for _ in range(NR_FRACTIONS):
        functions = random_functions(rng, rng.randrange(2, 60))
        value = rng.choice([rng.random(), rng.random() * 1e-2, rng.randrange(1, 16) / 16,
                            round(rng.random(), rng.randrange(1, 6)), rng.random() / 3 + 0.66])
        text = rng.choice(["%r", "%.17g", "%.3f", "%.2e"]) % value
        write_case(out, functions, 2.0**-30, ["stdname"], [text])


def write_usual(out, rng):
    for sort, restrictions in USUAL * NR_USUAL:
        write_case(out, random_functions(rng, rng.randrange(2, 60)), 1e-9, sort, restrictions)


def main():
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    rng = random.Random(SEED)
    write_keys(sys.stdout)
    write_mixed(sys.stdout, rng)
    write_fractions(sys.stdout, rng)
    write_usual(sys.stdout, rng)


if __name__ == "__main__":
    main()
