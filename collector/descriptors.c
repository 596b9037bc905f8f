/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/descriptors.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

/* Seen on Linux 6.18, with requests by sockets: 62 on 2 CPUs, of each of which there are 4 events; and some to spare. */
enum { FIXED = 60, EACH_CPU = 5 };

int descriptors_raise(struct err *e)
{
	rlim_t least = FIXED + EACH_CPU * (rlim_t)sysconf(_SC_NPROCESSORS_CONF);
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return 0;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur >= least)
		return 0;
	err_set(e, -EMFILE, "cannot record: %m (the limit is %llu, and a recording takes up to %llu)",
		(unsigned long long)files.rlim_cur, (unsigned long long)least);
	return err_remedy(e, DESCRIPTORS_REMEDY);
}
