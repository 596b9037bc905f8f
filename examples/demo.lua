-- SPDX-License-Identifier: Apache-2.0
-- For wrk: all of the server's endpoints, the cheap ones more often, and ids that differ.
local paths = {
	"/", "/", "/", "/json?n=100", "/json?n=200", "/fib?n=20", "/fib?n=15",
	"/burn?ms=2", "/slow?ms=20", "/user/%d", "/user/%d", "/user/%d", "/no/such/page",
}
local at = 0

function request()
	at = at % #paths + 1
	return wrk.format("GET", string.format(paths[at], math.random(1, 100000)))
end
