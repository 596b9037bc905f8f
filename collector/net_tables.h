/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of sockets in /proc/PID/net (proc_pid_net(5)): of all in a process's network namespace. */
#ifndef COLLECTOR_NET_TABLES_H
#define COLLECTOR_NET_TABLES_H

#include "collector/target.h"

/*
 * Gives each line of both tables, as of "tcp" and "tcp6", the title among them. Each network namespace of these processes
 * is read once: the tables are long. What cannot be read has no lines.
 */
void net_tables_each(const struct pids *pids, const char *const tables[2], void (*line)(void *self, const char *text), void *self);

#endif
