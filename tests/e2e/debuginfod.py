#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names and lines of a stripped program from a debuginfod server, where DEBUGINFOD_URLS names one."""
import os
import socket
import urllib.request

from lib import *

work = path("work")
os.mkdir(work)
program = os.path.join(work, "spinner")
debug = os.path.join(work, "debug")
os.mkdir(debug)
built = build("e2e_forks.c")
run("objcopy", "--only-keep-debug", built, os.path.join(debug, "spinner.debug"))
run("strip", "-o", program, built)
build_id = re.search(r"Build ID: ([0-9a-f]+)", run("readelf", "-n", program).stdout).group(1)

with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
server = start("debuginfod", "-v", "-d", ":memory:", "-F", "-p", str(port), debug,
               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
url = "http://127.0.0.1:%d" % port


def is_served():
    try:
        return urllib.request.urlopen("%s/buildid/%s/debuginfo" % (url, build_id), timeout=5).status == 200
    except OSError:
        return False


wait_until("the server knows the file", is_served)
step("debuginfod serves the debug file")

file = path("a.data")
wperf("record", "-q", "-o", file, "--", program, "calls", "100", "5")


def names(**environment):
    os.environ.update(DEBUGINFOD_CACHE_PATH=path("cache"), **environment)
    return {(f["file"].rsplit("/", 1)[-1], f["function"]) for f in report(file)["groups"][0]["functions"]}


without = names(DEBUGINFOD_URLS="")
check(("e2e_forks.c", "burn") not in without, "the stripped program has names: %s" % without)
found = names(DEBUGINFOD_URLS=url)
check(("e2e_forks.c", "burn") in found, "no names from the server: %s" % found)
stop(server)
step("a stripped program has its names and lines from the server")
