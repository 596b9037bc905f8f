/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/socket_way.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "collector/bpf_object.h"

/* ---- what the kernel can ---- */

bool socket_way_has_trace(const struct btf *btf, const char *name)
{
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

static bool has_member(const struct btf *btf, const char *type, const char *member)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (unsigned int)id) : NULL;
	unsigned int i;

	for (i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member))
			return true;
	return false;
}

/*
 * Linux 6.3 has sock_recv_length and sock_send_length. What sendfile(2) moves passes the latter since
 * 6.5 (dc97391e6610), which took sendpage away.
 */
static bool can_trace(bool *ret_sees_sends)
{
	static const char *const needed[] = { "sock_recv_length", "sock_send_length",
					      "inet_sock_set_state", "tcp_destroy_sock" };
	struct btf *btf = bpf_object_kernel_btf();
	bool can = btf && !has_member(btf, "proto_ops", "sendpage");
	size_t i;

	for (i = 0; can && i < ARRAY_LEN(needed); i++)
		can = socket_way_has_trace(btf, needed[i]);
	*ret_sees_sends = can && socket_way_has_trace(btf, "tcp_sendmsg_locked");
	btf__free(btf);
	return can;
}

/* ---- what the target needs ---- */

typedef VEC(unsigned long) inodes;

/*
 * /proc/PID/net/unix: "Num RefCount Protocol Flags Type St Inode Path", in hexadecimal but for the
 * inode (proc_pid_net(5)). Who listens has the flag __SO_ACCEPTCON.
 */
static void add_unix_listeners(inodes *to, uint32_t pid)
{
	enum { SO_ACCEPTCON_FLAG = 0x10000 };
	unsigned long inode;
	unsigned int flags;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/net/unix", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*x %*x %x %*x %*x %lu", &flags, &inode) == 2 &&
		    flags & SO_ACCEPTCON_FLAG)
			vec_push(to, inode);
	fclose(f);
}

struct needs {
	const inodes *listeners;
	bool has_some;
};

static void look_at(void *self, const char *link)
{
	struct needs *n = self;
	unsigned long inode;

	n->has_some |= !strcmp(link, "anon_inode:[io_uring]");
	if (sscanf(link, "socket:[%lu]", &inode) != 1)
		return;
	vec_each(n->listeners, l)
		n->has_some |= *l == inode;
}

/*
 * Who has a ring of io_uring may move bytes by it, or read files: its calls are counted. So are those of who may have
 * anything, as others' processes do to whom has no CAP_SYS_PTRACE.
 */
static bool needs_calls(uint32_t pid, const inodes *listeners)
{
	struct needs n = { listeners, false };
	int err = process_descriptors(pid, look_at, &n);

	return n.has_some || err == -EACCES || err == -EPERM;
}

/* The end of an accepted Unix connection passes no tracepoint. */
static bool some_need_calls(const struct pids *pids)
{
	inodes listeners = { 0 };
	bool has = false;

	vec_each(&pids->at, pid) {
		listeners.nr = 0;
		add_unix_listeners(&listeners, *pid);
		has |= needs_calls(*pid, &listeners);
	}
	vec_release(&listeners);
	return has;
}

/* NULL: nothing that there is. */
static const char *wanted_way(void)
{
	const char *wanted = getenv("WPERF_SOCKETS");

	return wanted && (!strcmp(wanted, "traces") || !strcmp(wanted, "calls")) ? wanted : NULL;
}

enum socket_way socket_way_choose(const struct pids *pids, bool *ret_sees_sends)
{
	const char *wanted = wanted_way();
	bool may = wanted ? !strcmp(wanted, "traces") : pids && !some_need_calls(pids);

	if (!wanted && getenv("WPERF_SOCKETS"))
		log_warn("WPERF_SOCKETS=%s is ignored: it is calls or traces", getenv("WPERF_SOCKETS"));
	*ret_sees_sends = false;
	return may && can_trace(ret_sees_sends) ? SOCKET_BY_TRACES : SOCKET_BY_CALLS;
}

enum socket_way socket_way_beside_counts(enum socket_way chosen)
{
	return wanted_way() ? chosen : SOCKET_BY_CALLS;
}
