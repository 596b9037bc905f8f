/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets at which a target may be asked by datagrams, of which no marks are made. */
#ifndef COLLECTOR_DATAGRAMS_H
#define COLLECTOR_DATAGRAMS_H

#include "collector/target.h"

/*
 * How many sockets of UDP these processes have that are not connected, and have a port that somebody chose: a client's
 * port is one that the kernel takes (/proc/sys/net/ipv4/ip_local_port_range).
 */
uint64_t datagrams_nr_sockets(const struct pids *pids);

#endif
