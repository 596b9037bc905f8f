# SPDX-License-Identifier: Apache-2.0
"""What Python's own str.format makes of random specifications: the referee of base/pyformat.c.

Writes to stdout, a line a case, fields separated by tabs:

    text|integer|float VALUE TEMPLATE RESULT

where the template's only field is {v}, and the result is "=" and the text, or "!" where Python does
not take the specification. And for repr(), with an empty template:

    repr VALUE  =RESULT

The seed is fixed: every run gives the same cases.
"""

import random
import sys

SEED = 20240229
NR_EACH = 4000

TEXTS = ["", "GET", "user.17", "ä", "日本語", "\U0001f40d.x", "a" * 40, "it's", "it's \"so\"", "a\\b", "\xa0\u200b\x7f\x9b"]
INTEGERS = [0, 1, 9, 10, 200, 404, 999, 1000, 1234567, 2**31, 2**53 + 1, 2**64 - 1]
FLOATS = [0.0, 0.5, 1.5, 2.5, 1.0, 5.0, 9.5, 9.995, 10.0, 99.95, 100.0, 1234.5678, 1700000000.1234567, 1e15,
          1e16, 123456789012345678.0, 1e22, 1e-4, 1e-5, 0.00012345, 3.14159, 1e100, 2.0**-1074, 1 / 3]


def random_field(rng, kind):
    conversion = rng.choice([""] * 6 + ["!r", "!s", "!a", "!", "!x", "!rr"])
    return "v" + conversion + ":" + random_spec(rng, "text" if conversion and rng.random() < 0.9 else kind)


def random_spec(rng, kind):
    spec = ""
    if kind == "text" and rng.random() < 0.7:
        return (rng.choice(["", "*<", "ä^", "0>", ">", "^", "0"]) + rng.choice(["", "3", "12"]) +
                rng.choice(["", ".0", ".1", ".7"]) + rng.choice(["", "s"]))
    if rng.random() < 0.5:
        spec += rng.choice(["", "", "*", "0", "ä", ":", " "]) + rng.choice("<>^=")
    spec += rng.choice(["", "", "", "+", "-", " "])
    spec += rng.choice([""] * 9 + ["z"])
    spec += rng.choice([""] * 5 + ["#"])
    spec += rng.choice(["", "", "0"])
    spec += rng.choice(["", "", "1", "5", "8", "12", "30"])
    spec += rng.choice(["", "", "", "", ",", "_"])
    spec += rng.choice(["", "", "", ".0", ".1", ".2", ".3", ".6", ".17", ".20", "."])
    spec += rng.choice(["", "", "s", "d", "b", "o", "x", "X", "n", "e", "E", "f", "F", "g", "G", "%", "q", "dd"])
    return spec


def random_value(rng, kind):
    if kind == "text":
        return rng.choice(TEXTS)
    if kind == "integer":
        return rng.choice([rng.choice(INTEGERS), rng.randrange(1000), rng.randrange(2**64)])
    return rng.choice([rng.choice(FLOATS), rng.random() * 10 ** rng.randrange(-8, 20), rng.randrange(10**6) / 8])


def main():
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    rng = random.Random(SEED)
    for kind in ("text", "integer", "float"):
        for _ in range(NR_EACH):
            value, template = random_value(rng, kind), "<{%s}>{{}}" % random_field(rng, kind)
            try:
                result = "=" + template.format(v=value)
            except ValueError:
                result = "!"
            print(kind, value.hex() if kind == "float" else value, template, result, sep="\t")
    for _ in range(NR_EACH):
        value = random_value(rng, "float")
        print("repr", value.hex(), "", "=" + repr(value), sep="\t")


if __name__ == "__main__":
    main()
