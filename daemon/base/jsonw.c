/* jsonw.c: JSON writer.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/jsonw.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/instant.h"

/* A comma, unless this is the first element or follows its key. */
static void separate(struct buf *b)
{
	char last = b->len == 0 ? '\0' : b->data[b->len - 1];

	if (last != '\0' && last != '{' && last != '[' && last != ':' && last != '\n')
		buf_putc(b, ',');
}

void jsonw_key(struct buf *b, const char *key)
{
	separate(b);
	if (key == NULL)
		return;
	buf_putc(b, '"');
	buf_puts(b, key);
	buf_put(b, "\":", 2);
}

void jsonw_object(struct buf *b, const char *key)
{
	jsonw_key(b, key);
	buf_putc(b, '{');
}

void jsonw_object_end(struct buf *b)
{
	buf_putc(b, '}');
}

void jsonw_list(struct buf *b, const char *key)
{
	jsonw_key(b, key);
	buf_putc(b, '[');
}

void jsonw_list_end(struct buf *b)
{
	buf_putc(b, ']');
}

void jsonw_null(struct buf *b, const char *key)
{
	jsonw_key(b, key);
	buf_put(b, "null", 4);
}

void jsonw_bool(struct buf *b, const char *key, bool value)
{
	jsonw_key(b, key);
	buf_puts(b, value ? "true" : "false");
}

void jsonw_int(struct buf *b, const char *key, int64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%lld", (long long)value);

	jsonw_key(b, key);
	buf_put(b, text, (size_t)n);
}

/* The escape of c, or NULL if it stands for itself (RFC 8259 section 7). */
static const char *escape(unsigned char c, char *scratch)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		if (c >= 0x20 && c != 0x7f)
			return NULL;
		snprintf(scratch, 8, "\\u%04x", c);
		return scratch;
	}
}

void jsonw_text_len(struct buf *b, const char *key, const char *text, size_t len)
{
	size_t start = 0;

	jsonw_key(b, key);
	buf_putc(b, '"');
	for (size_t i = 0; i < len; i++) {
		char scratch[8];
		const char *escaped = escape((unsigned char)text[i], scratch);

		if (escaped == NULL)
			continue;
		buf_put(b, text + start, i - start);
		buf_puts(b, escaped);
		start = i + 1;
	}
	buf_put(b, text + start, len - start);
	buf_putc(b, '"');
}

void jsonw_text(struct buf *b, const char *key, const char *text)
{
	if (text == NULL)
		jsonw_null(b, key);
	else
		jsonw_text_len(b, key, text, strlen(text));
}

void jsonw_time(struct buf *b, const char *key, int64_t wall_ms)
{
	char text[INSTANT_TEXT_SIZE];

	instant_format(wall_ms, text);
	jsonw_text(b, key, text);
}
