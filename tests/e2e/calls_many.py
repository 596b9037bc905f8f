#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A thousand functions on a thousand threads, a million calls in about a second: every one is counted, or told to be
lost, and then the rows say so. bench/bench.py has the time that it takes to attach."""
from lib import *

NR_FUNCTIONS, NR_THREADS, NR_ROUNDS = 1000, 1000, 1

SOURCE = """
#include <pthread.h>
#include <stdio.h>
static pthread_barrier_t barrier;
%(functions)s
static void (*const all[])(void) = { %(names)s };
static void *worker(void *unused)
{
	pthread_barrier_wait(&barrier);
	for (int round = 0; round < %(rounds)d; round++)
		for (int i = 0; i < %(nr)d; i++)
			all[i]();
	return unused;
}
int main(void)
{
	static pthread_t threads[%(threads)d];
	pthread_attr_t attr;
	char line[16];
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&barrier, NULL, %(threads)d + 1);
	for (int i = 0; i < %(threads)d; i++)
		if (pthread_create(&threads[i], &attr, worker, NULL))
			return 1;
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < %(threads)d; i++)
		pthread_join(threads[i], NULL);
	puts("done");
	return 0;
}
"""

names = ["counted_%03d" % i for i in range(NR_FUNCTIONS)]
source = path("many.c")
with open(source, "w") as f:
    f.write(SOURCE % {"functions": "\n".join("static __attribute__((noinline, noclone)) void %s(void) "
                                             "{ __asm__ volatile(\"push %%rbx; pop %%rbx\"); }" % n for n in names),
                      "names": ", ".join(names), "nr": NR_FUNCTIONS, "threads": NR_THREADS, "rounds": NR_ROUNDS})
target = path("many")
run("gcc", "-O1", "-g", "-o", target, source, "-lpthread")
process = start_target(target, ready="ready", stdin=subprocess.PIPE)
begin = time.monotonic()
recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100", "--calls", "counted_*", "-F", "99")
step("attached in %.2f s" % (time.monotonic() - begin))
check("counts counted_999 in " + target + " at +0: push %rbx\n" in recording.read_talk(), recording.read_talk()[-200:])
process.stdin.write("go\n")
process.stdin.flush()
equal("the target", process.stdout.readline(), "done\n")
recording.wait()
# A machine that is busy does not empty the rings in time: what was lost is counted, and told where it may be missing.
wrong, nr_calls, nr_inexact = {}, 0, 0
each = NR_THREADS * NR_ROUNDS
profile = report(recording.file)
for group in profile["groups"]:
    for f in group["functions"]:
        if f["function"].startswith("counted_"):
            nr_calls += f["ncalls"]
            nr_inexact += not f["exact"]
            if (f["ncalls"], f["primitive_calls"]) != (each, each) if f["exact"] else f["ncalls"] > each:
                wrong[f["function"]] = (f["ncalls"], f["primitive_calls"], f["exact"])
nr_lost = profile["tallies"]["calls_lost"]
equal("functions whose calls are others", wrong, {})
equal("calls, and those that were lost, of %s" % profile["tallies"], nr_calls + nr_lost, NR_FUNCTIONS * each)
check(bool(nr_lost) == bool(nr_inexact), "%d calls lost, %d functions that say so" % (nr_lost, nr_inexact))
step("%d calls, %d lost" % (nr_calls, nr_lost))
