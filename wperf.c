/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cut_files.h"
#include "base/err.h"
#include "base/log.h"
#include "base/streams.h"
#include "collector/cmd_probes.h"
#include "collector/cmd_record.h"
#include "report/cmd_live.h"
#include "report/cmd_report.h"
#include "report/cmd_requests.h"

static const struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "record", "sample a server, from outside, while it serves", cmd_record },
	{ "report", "for every endpoint, the table of its functions", cmd_report },
	{ "requests", "one line a request", cmd_requests },
	{ "live", "each request's table, as the request ends", cmd_live },
	{ "probes", "list the functions and probes that a marker can name", cmd_probes },
};

static void print_usage(void)
{
	size_t i;

	puts("Usage: wperf COMMAND [options]\n");
	for (i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	puts("\nwperf COMMAND --help and man wperf-COMMAND say more.");
}

static int run(int argc, char **argv, struct err *e)
{
	size_t i;

	if (argc < 2) {
		err_set(e, -EINVAL, "no command: what is to be done?");
		return err_remedy(e, "wperf --help lists the commands.");
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage();
		return EXIT_GOOD;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
		puts("wperf " WPERF_VERSION);
		return EXIT_GOOD;
	}
	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	err_set(e, -EINVAL, "%s: no such command", argv[1]);
	return err_remedy(e, "wperf --help lists them.");
}

/* Output that did not arrive is a failure, whatever the command thought. */
int main(int argc, char **argv)
{
	struct err e = { 0 };
	int status;

	streams_fill();
	cut_files_begin();
	status = run(argc, argv, &e);
	if (cut_files_were_read())
		log_warn("a file was cut short while it was read: what was behind its new end is missing");
	if (!status)
		streams_finish_stdout(&e);
	if (!e.code)
		return status;
	err_print(&e, stderr);
	return err_exit_status(&e);
}
