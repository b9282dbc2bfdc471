/* cmd_record.c: presencectl record: what sources say, as it arrives, to a file.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"

static int record(struct client *c, FILE *out)
{
	json_t *result = client_call(c, "raw.subscribe", json_pack("{s:b}", "on", 1)), *n;
	int ended = 0;

	if (result == NULL)
		return EXIT_NO;
	json_decref(result);
	while (!ended) {
		n = client_next(c, -1, &ended);
		if (n != NULL && strcmp(text_of(n, "method"), "raw.line") == 0) {
			json_dumpf(json_object_get(n, "params"), out, JSON_COMPACT);
			fputc('\n', out);
			fflush(out);
		}
		json_decref(n);
		if (ferror(out)) {
			fprintf(stderr, "presencectl: The recording cannot be written: %s.\n", strerror(errno));
			return EXIT_NO;
		}
	}
	fputs("presencectl: presenced has ended the connection; the recording ends here.\n", stderr);
	return EXIT_UNREACHABLE;
}

int cmd_record(const struct ctl *ctl, int argc, char **argv)
{
	struct client *c;
	FILE *out = stdout;
	int status;

	if (argc > 2)
		return usage_error(command_find(argv[0]), "record takes one file.");
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	if (argc == 2)
		out = fopen(argv[1], "we");
	if (out == NULL) {
		fprintf(stderr, "presencectl: %s cannot be written: %s.\n", argv[1], strerror(errno));
		client_close(c);
		return EXIT_NO;
	}
	if (argc == 2)
		fprintf(stderr, "Recording to %s; end it with Ctrl-C.\n", argv[1]);
	status = record(c, out);
	if (out != stdout)
		fclose(out);
	client_close(c);
	return status;
}
