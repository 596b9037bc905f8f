#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who sleeps for a little, again and again, is woken by the timer of the samples, and yet found in them."""
import math

from lib import *

target = build("e2e_sleeps.c")
ratios = []
for us in ("50", "100", "200", "250", "300", "400"):
    file = path("%s.data" % us)
    said = wperf("record", "-q", "-e", "cpu-clock", "--marker", "none", "-o", file, "--", target, us, "1")
    functions = report(file)["groups"][0]["functions"]
    ratios.append(sum(f["tottime"] for f in functions if f["function"] == "working") / float(said.stdout))
# Of some 250 samples each: 6 % of error; that it is woken early makes the most of the rest. By one clock 0.7 to 1.9.
rms = math.sqrt(sum((ratio - 1) ** 2 for ratio in ratios) / len(ratios))
check(rms < 0.4, "sampled of what it took: " + ", ".join("%.2f" % ratio for ratio in ratios))
step("sleeping 50 to 400 us at a time: sampled of what it took %s" % ", ".join("%.2f" % ratio for ratio in ratios))
