# SPDX-License-Identifier: Apache-2.0
"""What Python makes of .prof files: the referee of render_pstats.c.

    prof_referee.py FILE...

Each file is what marshal itself would write for the dictionary that is in it, byte by byte; pstats
loads it and prints its tables, callers and callees. To stdout, a line a function in the order of the
file, fields separated by tabs (floats as float.hex() has them; names that are not printable as repr() has them), and
below it its callers:

    FILE LINE NAME CALLS PRIMITIVE_CALLS TOTTIME CUMTIME
    < FILE LINE NAME CALLS PRIMITIVE_CALLS TOTTIME CUMTIME

then, for all of the files in one, the same again behind "all", and the numbers of pstats' header:

    total CALLS PRIMITIVE_CALLS TOTTIME
"""

import io
import marshal
import pstats
import sys


def shown(text):
    return text if text.isprintable() else repr(text)


def line(mark, func, nc, cc, tt, ct):
    file, number, name = func
    fields = [shown(file), str(number), shown(name), str(nc), str(cc), tt.hex(), ct.hex()]
    print(mark + "\t".join(fields))


def show(stats):
    for func, (cc, nc, tt, ct, callers) in stats.items():
        line("", func, nc, cc, tt, ct)
        for caller, numbers in callers.items():
            line("< ", caller, *numbers)


def print_everything(stats):
    stats.print_stats()
    stats.print_callers()
    stats.print_callees()
    stats.strip_dirs().sort_stats("cumulative").print_stats(0.5)


def main(files):
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for name in files:
        with open(name, "rb") as f:
            written = f.read()
        stats = pstats.Stats(name, stream=io.StringIO())
        assert marshal.dumps(stats.stats, 2) == written, name
        print(name)
        show(stats.stats)
        print_everything(stats)
    together = pstats.Stats(*files, stream=io.StringIO())
    print("all")
    show(together.stats)
    print("total\t%d\t%d\t%s" % (together.total_calls, together.prim_calls, together.total_tt.hex()))
    print_everything(together)


if __name__ == "__main__":
    main(sys.argv[1:])
