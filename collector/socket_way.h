/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two BPF objects see what a target does with its connections, and make the same marks of it:
 *
 *	socket_traced	by the tracepoints of sockets: whoever moves no bytes pays nothing
 *	socket_calls	by the system calls: on every kernel, and it misses nothing, but each system call
 *			of the whole system takes the kernel's slow way
 */
#ifndef COLLECTOR_SOCKET_WAY_H
#define COLLECTOR_SOCKET_WAY_H

#include <stdbool.h>

#include "collector/target.h"

struct btf;

enum socket_way { SOCKET_BY_CALLS, SOCKET_BY_TRACES };

/*
 * What is right for these processes; pids NULL: one that does not run yet. The environment's
 * WPERF_SOCKETS, "calls" or "traces", is obeyed where the kernel can, and a line says so where it is something else. ret_sees_sends: by traces, and the
 * kernel has tcp_sendmsg_locked, too.
 */
enum socket_way socket_way_choose(const struct pids *pids, bool *ret_sees_sends);
/*
 * Where calls are counted: each is in the request or it is not, so no wait may be missed, and what that costs
 * is nothing beside the counting.
 */
enum socket_way socket_way_beside_counts(enum socket_way chosen);
/* By the kernel's BTF: there is a tracepoint of that name which BPF programs can be attached to. */
bool socket_way_has_trace(const struct btf *btf, const char *name);

#endif
