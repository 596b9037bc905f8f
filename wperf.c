/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "collector/cmd_probes.h"
#include "collector/cmd_record.h"
#include "report/cmd_report.h"
#include "report/cmd_requests.h"

static const struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "record", "sample a server, from outside, while it serves", cmd_record },
	{ "report", "for every endpoint, the table of its functions", cmd_report },
	{ "requests", "one line a request", cmd_requests },
	{ "probes", "list the functions and probes that a marker can name", cmd_probes },
};

static void print_usage(FILE *out)
{
	size_t i;

	fputs("Usage: wperf COMMAND [options]\n\n", out);
	for (i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\nwperf COMMAND --help and man wperf-COMMAND say more.\n", out);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return EXIT_GOOD;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
		puts("wperf " WPERF_VERSION);
		return EXIT_GOOD;
	}
	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "wperf: %s: no such command\nwperf --help lists them.\n", argv[1]);
	return EXIT_USAGE;
}
