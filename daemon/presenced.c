/* presenced.c: the command line of the daemon.
 * SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>

#include "daemon/run.h"

#define DEFAULT_CONFIG PRESENCED_SYSCONFDIR "/presenced/presenced.yaml"

static const char usage[] = "Usage: presenced [-c FILE]\n"
			    "       presenced --check-config FILE\n"
			    "\n"
			    "Collects presence from telephone and messaging systems and tells it to consoles on a\n"
			    "Unix socket. Runs in the foreground and logs to standard error.\n"
			    "\n"
			    "  -c, --config FILE        configuration, default " DEFAULT_CONFIG "\n"
			    "      --check-config FILE  read it and the users, print every error, and exit\n"
			    "  -V, --version            print the version\n"
			    "  -h, --help               print this\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", required_argument, NULL, 'C' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *file = DEFAULT_CONFIG;
	int c;

	while ((c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'C':
			return run_check(optarg);
		case 'V':
			puts("presenced " PRESENCED_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "presenced: what is \"%s\"?\n%s", argv[optind], usage);
		return 2;
	}
	return run_daemon(file);
}
