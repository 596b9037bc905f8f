/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that has to come to its end. The kernel cannot take a uprobe's breakpoints out of a process in a thread that is
 * being killed meanwhile (Linux: kernel/events/uprobes.c, "failed to unregister, leaking uprobe"; seen with 6.18): they
 * stay there for as long as it lives. So a child puts them in and takes them out, with the memory and the descriptors
 * of this process, which waits. Who kills this one kills one that waits, and what the child has opened goes when it ends.
 */
#ifndef COLLECTOR_UNKILLED_H
#define COLLECTOR_UNKILLED_H

/*
 * What f(arg) returns. Where no child is to be had, f is called here. Memory is shared, limits (setrlimit(2)), the pid
 * and signals are not.
 */
int unkilled_call(int (*f)(void *arg), void *arg);

#endif
