/* fuzz_dialog_info.c: documents (0xFF between them) about one line give good facts, or errors that change nothing.
 * SPDX-License-Identifier: MIT
 *
 * One that begins with 0xFE was asked for anew: it is read into a table of its own, which takes the place of the other.
 */
#include "tests/fuzz/fuzz_facts.h"

#include <malloc.h>

#include "connectors/sip/dialog_info_document.h"

#define NOON 1795176000000 /* 2026-11-20T12:00:00Z */

/* The bytes of the table, without knowing them. */
struct snapshot {
	struct line_dialogs dialogs;
	void *bytes;
	size_t len;
};

static struct snapshot take_snapshot(const struct line_dialogs *dialogs)
{
	struct snapshot s = { .dialogs = *dialogs };

	s.len = dialogs->list == NULL ? 0 : malloc_usable_size(dialogs->list);
	s.bytes = malloc(s.len + 1);
	assert(s.bytes != NULL);
	if (s.len > 0)
		memcpy(s.bytes, dialogs->list, s.len);
	return s;
}

static bool is_unchanged(const struct snapshot *s, const struct line_dialogs *d)
{
	const struct line_dialogs *b = &s->dialogs;

	return b->list == d->list && b->count == d->count && b->versioned == d->versioned && b->whole == d->whole &&
	    b->version == d->version && (s->len == 0 || memcmp(s->bytes, d->list, s->len) == 0);
}

static void read_document(struct xml_reader *x, const uint8_t *data, size_t len, struct line_dialogs *dialogs)
{
	struct snapshot before = take_snapshot(dialogs);
	struct parse_error error = { { 0 } };
	struct dialog_info_reading reading;
	int r = dialog_info_read(x, (const char *)data, len, NOON, dialogs, &reading, &error);

	if (r < 0)
		assert(error.text[0] != '\0' && utf8_is_valid(error.text, strlen(error.text)));
	if (r < 0 || r == DIALOG_INFO_OLD)
		assert(is_unchanged(&before, dialogs));
	else
		fuzz_facts(&reading.facts);
	assert(dialogs->count <= DIALOGS_MAX && (dialogs->list != NULL) == (dialogs->count > 0));
	free(before.bytes);
}

static void take_document(struct xml_reader *x, const uint8_t *data, size_t len, struct line_dialogs *dialogs)
{
	struct line_dialogs anew = { 0 };
	uint32_t version = dialogs->version;

	if (len == 0 || data[0] != 0xfe) {
		read_document(x, data, len, dialogs);
		return;
	}
	read_document(x, data + 1, len - 1, &anew);
	if (anew.whole) {
		line_dialogs_replace(dialogs, &anew);
		assert(anew.list == NULL && anew.count == 0 && dialogs->version == version);
	}
	line_dialogs_done(&anew);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct xml_reader *x; /* the same for all documents, as in the daemon */
	struct line_dialogs dialogs = { 0 };

	if (x == NULL)
		x = xml_reader_new();
	assert(x != NULL);
	while (len > 0) {
		const uint8_t *end = memchr(data, 0xff, len);
		size_t n = end == NULL ? len : (size_t)(end - data);

		take_document(x, data, n, &dialogs);
		n = end == NULL ? n : n + 1;
		data += n;
		len -= n;
	}
	line_dialogs_done(&dialogs);
	assert(dialogs.list == NULL && dialogs.count == 0 && !dialogs.versioned && !dialogs.whole);
	return 0;
}
