/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/datagrams.h"

#include <stdio.h>

#include "base/hash.h"
#include "collector/net_tables.h"

enum { IS_THERE, IS_COUNTED };

struct datagrams {
	unsigned int first_taken, last_taken;	/* ports that the kernel takes for those who choose none */
	struct u64map sockets;			/* by inode */
	uint64_t nr;
};

static void find_taken_ports(struct datagrams *d)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (!f || fscanf(f, "%u %u", &d->first_taken, &d->last_taken) != 2)
		d->first_taken = d->last_taken = 0;
	if (f)
		fclose(f);
}

/* "sl: LOCAL:PORT REMOTE:PORT STATE TX:RX TR:WHEN RETRANSMITS UID TIMEOUT INODE ...", numbers in hexadecimal up to RETRANSMITS. */
static void take_line(void *self, const char *line)
{
	enum { CONNECTED = 0x01 };
	struct datagrams *d = self;
	unsigned int port, state;
	unsigned long inode;

	if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", &port, &state,
		   &inode) != 3 || state == CONNECTED || (port >= d->first_taken && port <= d->last_taken))
		return;
	if (!u64map_get(&d->sockets, inode))
		u64map_set(&d->sockets, inode, IS_THERE);
}

/* Several processes may have one. */
static void count(void *self, const char *link)
{
	struct datagrams *d = self;
	unsigned long inode;
	uint32_t *is;

	if (sscanf(link, "socket:[%lu]", &inode) != 1)
		return;
	is = u64map_get(&d->sockets, inode);
	if (!is || *is == IS_COUNTED)
		return;
	*is = IS_COUNTED;
	d->nr++;
}

uint64_t datagrams_nr_sockets(const struct pids *pids)
{
	static const char *const tables[] = { "udp", "udp6" };
	struct datagrams d = { 0 };

	find_taken_ports(&d);
	net_tables_each(pids, tables, take_line, &d);
	vec_each(&pids->at, pid)
		process_descriptors(*pid, count, &d);
	u64map_release(&d.sockets);
	return d.nr;
}
