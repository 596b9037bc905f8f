/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as exchanges on the connections that the target accepted: BPF programs send what is moved
 * on them, and the report finds out what requests these bytes are. Nothing in the target has to be
 * named, and nothing in it is changed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/units.h"
#include "collector/call_core.h"
#include "collector/datagrams.h"
#include "collector/marker.h"
#include "collector/net_tables.h"
#include "collector/socket.h"
#include "collector/socket_way.h"

BPF_OBJECT(socket_calls);
BPF_OBJECT(socket_traced);

enum { NR_PROGRAMS_MAX = 10, AT_WAKING = 3, AT_SENDS = 4 };

/* An object's programs are attached in this order: a thread's time counts from its first mark. */
static const struct {
	const char *name;
	const uint8_t *begin, *end;
	const char *programs[NR_PROGRAMS_MAX];
} objects[] = {
	[SOCKET_BY_CALLS] = { "socket_calls", bpf_object_socket_calls, bpf_object_socket_calls_end,
			      { "socket_switch", "socket_fork", "socket_exits", [AT_WAKING] = "socket_waking",
				"socket_exec", "socket_exit", "socket_enter" } },
	[SOCKET_BY_TRACES] = { "socket_traced", bpf_object_socket_traced, bpf_object_socket_traced_end,
			       { "socket_switch", "socket_state", "socket_destroyed", [AT_WAKING] = "socket_waking",
				 [AT_SENDS] = "socket_sends", "socket_fork", "socket_exits",
				 "socket_exec", "socket_sent", "socket_received" } },
};

struct socket_marker {
	const struct marker_spec *spec;
	uint32_t id;
	enum socket_way way;
	bool sees_sends;
	struct bpf_object *object;
	int cpus_fd, settle_fd;
	int nr_cpus;		/* possible ones */
	uint64_t nr_datagram_sockets;
	bool has_late;		/* some answers are begun by a thread that did not just read the request */
	bool has_threads;	/* several, in a process */
	struct bpf_link *links[NR_PROGRAMS_MAX];
};

static const struct {
	long nr;
	enum socket_call call;
} calls[] = {
	{ SYS_read, CALL_READ },
	{ SYS_readv, CALL_READV },
#ifdef SYS_preadv2
	{ SYS_preadv2, CALL_READV },
	{ SYS_pwritev2, CALL_WRITEV },
#endif
	{ SYS_recvfrom, CALL_RECV },
	{ SYS_recvmsg, CALL_RECVMSG },
	{ SYS_recvmmsg, CALL_RECVMMSG },
	{ SYS_write, CALL_WRITE },
	{ SYS_sendto, CALL_WRITE },
	{ SYS_writev, CALL_WRITEV },
	{ SYS_sendmsg, CALL_SENDMSG },
	{ SYS_sendmmsg, CALL_SENDMMSG },
	{ SYS_sendfile, CALL_SENDFILE },
	{ SYS_splice, CALL_SPLICE },
	{ SYS_accept, CALL_ACCEPT },
	{ SYS_accept4, CALL_ACCEPT },
	{ SYS_connect, CALL_CONNECT },
	{ SYS_close, CALL_CLOSE },
#ifdef SYS_close_range
	{ SYS_close_range, CALL_CLOSE_RANGE },
#endif
	{ SYS_dup3, CALL_DUP },
#ifdef SYS_dup2
	{ SYS_dup2, CALL_DUP },
#endif
#ifdef SYS_epoll_wait
	{ SYS_epoll_wait, CALL_EPOLL },
	{ SYS_poll, CALL_POLL },
	{ SYS_select, CALL_SELECT },
#endif
	{ SYS_epoll_pwait, CALL_EPOLL },
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, CALL_EPOLL_2 },
#endif
	{ SYS_ppoll, CALL_PPOLL },
	{ SYS_pselect6, CALL_SELECT },
	{ SYS_io_uring_enter, CALL_IO_URING },
	{ SYS_io_submit, CALL_IO_SUBMIT },
	{ SYS_futex, CALL_FUTEX },
	{ SYS_shutdown, CALL_SHUTDOWN },
};

static bool socket_takes(const struct marker_spec *spec)
{
	return spec->kind == MARKER_SPEC_AUTO || spec->kind == MARKER_SPEC_SOCKET;
}

static void socket_release(void *self)
{
	struct socket_marker *m = self;
	size_t i;

	if (!m)
		return;
	for (i = 0; i < ARRAY_LEN(m->links); i++)
		bpf_link__destroy(m->links[i]);
	bpf_object__close(m->object);
	free(m);
}

/* ---- who listens ---- */

typedef VEC(uint16_t) ports;

/* "sl: LOCAL:PORT REMOTE:PORT STATE ...", in hexadecimal. */
static void add_listening(void *self, const char *line)
{
	enum { LISTEN = 0x0a };
	unsigned int port, state;
	ports *to = self;

	if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) == 2 && state == LISTEN)
		vec_push(to, (uint16_t)port);
}

static bool has_threads(uint32_t pid)
{
	char path[64];
	struct stat st;

	/* Links: ".", its own in "..", and those of its folders. */
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	return !stat(path, &st) && st.st_nlink > 3;
}

static int socket_prepare(const struct marker_spec *spec, uint32_t id,
			  const struct marker_target *target, void **ret_self, struct err *e)
{
	struct socket_marker *m = xcalloc(1, sizeof(*m));

	(void)e;
	m->spec = spec;
	m->id = id;
	m->way = socket_way_choose(target->program ? NULL : target->pids, &m->sees_sends);
	m->nr_cpus = libbpf_num_possible_cpus();
	*ret_self = m;
	return 0;
}

/* ---- attaching ---- */

/* The programs' only constant. */
static int set_config(const struct socket_marker *m, struct bpf_object *object)
{
	struct bpf_map *constants = bpf_object__find_map_by_name(object, ".rodata");
	struct socket_config config = { .only_port = m->spec->port, .is_http = m->spec->is_http };
	uint64_t monotonic_ns, epoch_ns;
	size_t i;

	clocks_ns(&monotonic_ns, &epoch_ns);
	config.realtime_ns = epoch_ns - monotonic_ns;
	for (i = 0; i < ARRAY_LEN(calls); i++)
		if (calls[i].nr < SOCKET_MAX_SYSCALLS)
			config.call_of[calls[i].nr] = (unsigned char)calls[i].call;
	return bpf_map__set_initial_value(constants, &config, sizeof(config));
}

static int load(struct socket_marker *m, const struct marker_ways *ways, struct err *e)
{
	struct bpf_shared_map shared[FOLLOW_NR_SHARED];
	struct bpf_program *sends;
	struct bpf_object *object;
	int err;

	follow_share(ways->follow, shared);
	err = bpf_object_open_embedded(objects[m->way].name, objects[m->way].begin, objects[m->way].end, shared, &object, e);
	if (err)
		return err;
	sends = bpf_object__find_program_by_name(object, "socket_sends");
	err = set_config(m, object);
	if (!err)
		err = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "batches"),
					       (uint32_t)m->nr_cpus * SOCKET_BATCHES_PER_CPU);
	if (!err && sends)
		bpf_program__set_autoload(sends, m->sees_sends);
	if (err) {
		bpf_object__close(object);
		return err_set(e, err, "cannot set the BPF program '%s' up: %m", objects[m->way].name);
	}
	err = call_core_join(ways->calls, object, e);
	if (!err)
		err = bpf_object_load(objects[m->way].name, object, e);
	if (!err)
		m->object = object;
	return err;
}

/* Who begins to listen from the attach on, the programs see. */
static int tell_listening(struct socket_marker *m, const struct pids *pids, struct err *e)
{
	int fd = bpf_object__find_map_fd_by_name(m->object, "listening"), err = 0;
	static const char *const tables[] = { "tcp", "tcp6" };
	ports listening = { 0 };
	uint8_t yes = 1;

	net_tables_each(pids, tables, add_listening, &listening);
	vec_push(&listening, SOCKET_ALL_PORTS);
	vec_each(&listening, port)
		if (!err && bpf_map_update_elem(fd, port, &yes, BPF_ANY))
			err = err_set(e, -errno, "cannot tell the BPF program of port %u: %m", *port);
	vec_release(&listening);
	return err;
}

/* What the kernel has no place for, it does not permit. */
static int cannot_attach(const char *name, int error, struct err *e)
{
	bpf_object_cannot_attach(name, error, e);
	return error == -EMFILE || error == -ENFILE ? error : (e->code = -EPERM);
}

static int attach_program(struct socket_marker *m, size_t i, struct err *e)
{
	const char *name = objects[m->way].programs[i];
	struct bpf_program *p = bpf_object__find_program_by_name(m->object, name);

	if (!bpf_program__autoload(p))
		return 0;
	m->links[i] = bpf_program__attach(p);
	return m->links[i] ? 0 : cannot_attach(name, -errno, e);
}

/* What wakes all of the system takes from it, too: it is attached when there may be somebody to be woken. */
static void attach_waking(struct socket_marker *m)
{
	struct err e;

	m->has_threads = true;
	if (attach_program(m, AT_WAKING, &e))
		log_verbose("%s", e.what);
}

static int attach_programs(struct socket_marker *m, struct err *e)
{
	int err = 0;
	size_t i;

	for (i = 0; !err && i < NR_PROGRAMS_MAX && objects[m->way].programs[i]; i++)
		if (i != AT_WAKING)
			err = attach_program(m, i, e);
	return err;
}

/* Those that are made from now on socket_fork sees. */
static void look_for_threads(struct socket_marker *m, const struct follow *follow)
{
	enum { PROCESSES_MAX = 256 };
	uint32_t pids[PROCESSES_MAX];
	size_t nr = follow_list(follow, pids, PROCESSES_MAX), i;

	for (i = 0; i < nr && !m->has_threads; i++)
		if (has_threads(pids[i]))
			attach_waking(m);
}

static int socket_attach(void *self, const struct marker_ways *ways, struct err *e)
{
	struct socket_marker *m = self;
	const struct note_marker note = {
		.id = m->id,
		.flags = MARKER_IS_SOCKETS,
		.spec = m->spec->text,
		.name = "",
	};
	int err;

	if (ways->calls)
		m->way = socket_way_beside_counts(m->way);
	err = load(m, ways, e);
	if (err)
		return err;
	m->cpus_fd = bpf_object__find_map_fd_by_name(m->object, "cpus");
	m->settle_fd = bpf_program__fd(bpf_object__find_program_by_name(m->object, "socket_settle"));
	err = marker_give_rings(m->object, ways->sampler, e);
	if (err)
		return err;
	writer_note_marker(ways->writer, &note);
	err = attach_programs(m, e);
	if (err)
		return err;
	err = tell_listening(m, ways->pids, e);
	if (err)
		return err;
	look_for_threads(m, ways->follow);
	if (m->spec->kind == MARKER_SPEC_AUTO)
		m->nr_datagram_sockets = datagrams_nr_sockets(ways->pids);
	/* Calls of what is handed on before it is seen would be missing in requests, and beside them nothing costs less. */
	if (ways->calls && !m->has_threads)
		attach_waking(m);
	return 0;
}

/* ---- counts ---- */

static struct socket_counts sum_counts(const struct socket_marker *m)
{
	struct socket_counts sum = { 0 };
	struct socket_cpu *each;
	uint32_t zero = 0;
	int i;

	each = xcalloc((size_t)(m->nr_cpus > 0 ? m->nr_cpus : 1), sizeof(*each));
	if (m->object && !bpf_map_lookup_elem(m->cpus_fd, &zero, each))
		for (i = 0; i < m->nr_cpus; i++) {
			sum.nr_begins += each[i].counts.nr_begins;
			sum.nr_ends += each[i].counts.nr_ends;
			sum.nr_late += each[i].counts.nr_late;
			sum.nr_unsent += each[i].counts.nr_unsent;
			sum.nr_threads += each[i].counts.nr_threads;
			sum.nr_calls_unseen += each[i].counts.nr_calls_unseen;
			sum.nr_threads_32_bit += each[i].counts.nr_threads_32_bit;
			sum.nr_ends_unseen += each[i].counts.nr_ends_unseen;
		}
	free(each);
	return sum;
}

static void socket_counts(const void *self, struct marker_counts *ret)
{
	const struct socket_marker *m = self;
	struct socket_counts sum = sum_counts(m);

	*ret = (struct marker_counts){ .nr_begins = sum.nr_begins,
				       .nr_ends = sum.nr_ends,
				       .nr_unsent = sum.nr_unsent,
				       .nr_calls_unseen = sum.nr_calls_unseen,
				       .nr_threads_32_bit = sum.nr_threads_32_bit,
				       .nr_datagram_sockets = m->nr_datagram_sockets,
				       .nr_ends_unseen = sum.nr_ends_unseen };
}

static void tend_waking(struct socket_marker *m)
{
	if (!m->has_threads && sum_counts(m).nr_threads > 0)
		attach_waking(m);
}

/*
 * Who answers what it has read last needs no tracepoint where a write begins, and each costs 0.1 us. Should it be missed, it is attached again, for good.
 */
static void tend_sends(struct socket_marker *m)
{
	enum { ANSWERS_THAT_TELL = 1000 };
	struct bpf_link **sends = &m->links[AT_SENDS];
	struct socket_counts sum;
	struct err e;

	if (m->way != SOCKET_BY_TRACES || m->has_late)
		return;
	sum = sum_counts(m);
	m->has_late = sum.nr_late > 0;
	if (m->has_late && !*sends) {
		if (attach_program(m, AT_SENDS, &e))
			log_verbose("%s", e.what);
	} else if (!m->has_late && *sends && sum.nr_ends >= ANSWERS_THAT_TELL) {
		bpf_link__destroy(*sends);
		*sends = NULL;
	}
}

static void socket_record(void *self, bool is_recording)
{
	struct socket_marker *m = self;

	marker_set_recording(m->object, is_recording);
}

static void socket_tend(void *self)
{
	tend_waking(self);
	tend_sends(self);
}

/* A CPU that is off has no marks: when it went off, its batches stayed, and are sent when it is back. */
static bool socket_settle(void *self)
{
	const struct socket_marker *m = self;
	bool has_all = true;
	int cpu;

	for (cpu = 0; cpu < m->nr_cpus; cpu++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = (uint32_t)cpu);

		if (!bpf_prog_test_run_opts(m->settle_fd, &options))
			has_all &= !options.retval;
	}
	return has_all;
}

const struct marker_source marker_socket = {
	.takes = socket_takes,
	.prepare = socket_prepare,
	.attach = socket_attach,
	.counts = socket_counts,
	.record = socket_record,
	.tend = socket_tend,
	.settle = socket_settle,
	.release = socket_release,
};
