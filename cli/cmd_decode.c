/* cmd_decode.c: presencectl decode: what a document that a server sent means to us, by the real parsers.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/ctl.h"
#include "cli/decode.h"
#include "connectors/sip/pidf_document.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/raw_json.h"

#define MAX_FILE_BYTES (16 * 1024 * 1024)

/* Writes one whole line. False when the document is refused. */
typedef bool (*decoder)(struct decoding *d, const char *data, size_t len, struct buf *b);

/* --- verdicts -------------------------------------------------------------------------------------- */

bool decode_refused(struct buf *b, const char *why)
{
	jsonw_object(b, NULL);
	jsonw_text(b, "status", "error");
	jsonw_text(b, "error", why);
	jsonw_object_end(b);
	return false;
}

bool decode_ignored(struct buf *b, const char *reason)
{
	jsonw_object(b, NULL);
	jsonw_text(b, "status", "ignored");
	jsonw_text(b, "reason", reason);
	jsonw_object_end(b);
	return true;
}

static void write_half(struct buf *b, const char *key, const struct raw_facts *facts)
{
	if (facts == NULL) {
		jsonw_null(b, key);
		return;
	}
	jsonw_object(b, key);
	raw_json_write_facts(b, facts, true);
	raw_json_write_times(b, facts);
	jsonw_object_end(b);
}

bool decode_taken(struct buf *b, const struct raw_facts *rich, const struct raw_facts *telephony)
{
	jsonw_object(b, NULL);
	jsonw_text(b, "status", "ok");
	write_half(b, "rich", rich);
	write_half(b, "telephony", telephony);
	jsonw_object_end(b);
	return true;
}

/* Whether a document of another Content-Type was given; then the verdict is written. */
static bool other_type(const struct decoding *d, bool (*takes)(const char *type), struct buf *b)
{
	char reason[300];

	if (d->type == NULL || takes(d->type))
		return false;
	snprintf(reason, sizeof reason, "a document of type %.200s is not of this kind", d->type);
	return decode_ignored(b, reason);
}

/* --- kinds ----------------------------------------------------------------------------------------- */

static bool decode_pidf(struct decoding *d, const char *data, size_t len, struct buf *b)
{
	struct pidf_reading reading;
	struct parse_error error = { "no memory" };

	if (other_type(d, pidf_takes, b))
		return true;
	if (pidf_read(d->reader, data, len, &reading, &error) < 0)
		return decode_refused(b, error.text);
	return decode_taken(b, &reading.rich, &reading.telephony);
}

static bool decode_dialog_info(struct decoding *d, const char *data, size_t len, struct buf *b)
{
	struct dialog_info_reading reading;
	struct parse_error error = { "no memory" };
	int r;

	if (other_type(d, dialog_info_takes, b))
		return true;
	r = dialog_info_read(d->reader, data, len, 0, &d->dialogs, &reading, &error);
	if (r < 0)
		return decode_refused(b, error.text);
	if (r == DIALOG_INFO_OLD)
		return decode_ignored(b, "the version is not newer than that of the document before");
	return decode_taken(b, NULL, &reading.facts);
}

static const struct {
	const char *name;
	decoder decode;
} kinds[] = {
	{ "pidf", decode_pidf },
	{ "dialog-info", decode_dialog_info },
	{ "csta", decode_csta },
};
#define KIND_COUNT (sizeof kinds / sizeof *kinds)

static decoder decoder_of(const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].decode;
	return NULL;
}

/* --- the command ----------------------------------------------------------------------------------- */

/* All of a file ("-": standard input) into b. 0 or -errno. */
static int read_file(const char *path, struct buf *b)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	char block[16384];
	size_t n;
	int r;

	if (f == NULL)
		return -errno;
	while ((n = fread(block, 1, sizeof block, f)) > 0 && !b->failed)
		buf_put(b, block, n);
	r = ferror(f) ? -EIO : b->failed ? -EFBIG : 0;
	if (f != stdin)
		fclose(f);
	return r;
}

static bool decode_file(struct decoding *d, decoder decode, const char *path)
{
	struct buf data, line;
	char why[200];
	int r;
	bool fine;

	buf_init(&data, MAX_FILE_BYTES);
	buf_init(&line, 1024 * 1024);
	r = read_file(path, &data);
	if (r < 0) {
		snprintf(why, sizeof why, "%.120s cannot be read: %s", path, strerror(-r));
		fine = decode_refused(&line, why);
	} else {
		fine = decode(d, buf_text(&data), data.len, &line);
	}
	puts(buf_text(&line));
	buf_done(&data);
	buf_done(&line);
	return fine;
}

int cmd_decode(const struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = command_find("decode");
	struct decoding d = { .type = take_option(&argc, argv, "--type"),
		.entity = take_option(&argc, argv, "--entity") };
	int status = EXIT_FINE;
	decoder decode;

	(void)ctl;
	if (argc < 3)
		return usage_error(command, "What kind of document, and which files?");
	decode = decoder_of(argv[1]);
	if (decode == NULL)
		return usage_error(command, "There is no kind of document \"%s\".", argv[1]);
	line_init(&d.line);
	d.reader = xml_reader_new();
	if (d.reader == NULL)
		return EXIT_NO;
	for (int i = 2; i < argc; i++)
		if (!decode_file(&d, decode, argv[i]))
			status = EXIT_NO;
	line_dialogs_done(&d.dialogs);
	line_done(&d.line);
	xml_reader_free(d.reader);
	return status;
}
