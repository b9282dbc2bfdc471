/* table.c: aligned text.
 * SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

void table_init(struct table *t, size_t count, const char *const *titles)
{
	*t = (struct table){ .column_count = count, .shown = count };
	table_row(t, titles);
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->row_count * t->column_count; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){ 0 };
}

void table_row(struct table *t, const char *const *cells)
{
	if (t->row_count == t->row_size) {
		size_t size = t->row_size == 0 ? 32 : t->row_size * 2;
		char **grown = reallocarray(t->cells, size * t->column_count, sizeof *grown);

		if (grown == NULL)
			return;
		t->cells = grown;
		t->row_size = size;
	}
	for (size_t i = 0; i < t->column_count; i++)
		t->cells[t->row_count * t->column_count + i] = strdup(cells[i] == NULL ? "" : cells[i]);
	t->row_count++;
}

/* Columns on the screen that `text` takes, or up to `most` of them: *ret_bytes is where they end. */
static size_t width(const char *text, size_t most, size_t *ret_bytes)
{
	size_t columns = 0, bytes = 0;
	mbstate_t state = { 0 };

	while (text[bytes] != '\0') {
		wchar_t c;
		size_t n = mbrtowc(&c, text + bytes, strlen(text + bytes), &state);
		int w = n == (size_t)-1 || n == (size_t)-2 ? 1 : wcwidth(c);

		if (n == (size_t)-1 || n == (size_t)-2) {
			n = 1;
			state = (mbstate_t){ 0 };
		}
		if (columns + (size_t)(w < 0 ? 0 : w) > most)
			break;
		columns += (size_t)(w < 0 ? 0 : w);
		bytes += n;
	}
	*ret_bytes = bytes;
	return columns;
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return (size_t)-1;
}

static const char *cell(const struct table *t, size_t row, size_t column)
{
	const char *text = t->cells[row * t->column_count + column];

	return text == NULL ? "" : text;
}

void table_hide_empty(struct table *t)
{
	size_t last = t->column_count - 1;

	for (size_t row = 1; row < t->row_count; row++)
		if (*cell(t, row, last) != '\0')
			return;
	t->shown = last;
}

static void print_row(const struct table *t, size_t row, const size_t *widths)
{
	size_t left = terminal_width(), bytes, blanks;

	for (size_t i = 0; i < t->shown; i++) {
		const char *text = cell(t, row, i);
		bool last = i + 1 == t->shown;
		size_t used = width(text, left < widths[i] ? left : widths[i], &bytes);

		printf("%s%.*s%s", row == 0 ? "" : table_colour(text), (int)bytes, text,
		    row == 0 || *table_colour(text) == '\0' ? "" : table_plain());
		left -= used;
		blanks = last ? 0 : widths[i] - used + 2;
		blanks = blanks < left ? blanks : left;
		printf("%*s", (int)blanks, "");
		left -= blanks;
	}
	putchar('\n');
}

void table_print(const struct table *t)
{
	size_t widths[TABLE_COLUMNS] = { 0 }, bytes;

	for (size_t row = 0; row < t->row_count; row++) {
		for (size_t i = 0; i < t->shown; i++) {
			size_t w = width(cell(t, row, i), (size_t)-1, &bytes);

			widths[i] = w > widths[i] ? w : widths[i];
		}
	}
	for (size_t row = 0; row < t->row_count; row++)
		print_row(t, row, widths);
}

bool table_is_colourful(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0');
}

static const struct {
	const char *word, *escape;
} colours[] = {
	{ "available", "\033[32m" },
	{ "ok", "\033[32m" },
	{ "up", "\033[32m" },
	{ "busy", "\033[31m" },
	{ "dnd", "\033[1;31m" },
	{ "connection_error", "\033[31m" },
	{ "forbidden", "\033[31m" },
	{ "not_configured", "\033[31m" },
	{ "error", "\033[31m" },
	{ "stale", "\033[33m" },
	{ "connecting", "\033[33m" },
	{ "available_idle", "\033[33m" },
	{ "away", "\033[33m" },
	{ "forwarded_to_phone", "\033[35m" },
	{ "forwarded_to_voicemail", "\033[35m" },
	{ "offline", "\033[2m" },
	{ "unknown", "\033[2m" },
	{ "requesting", "\033[2m" },
	{ "not_requested", "\033[2m" },
	{ "disabled", "\033[2m" },
	{ "stopped", "\033[2m" },
};

const char *table_colour(const char *word)
{
	if (!table_is_colourful())
		return "";
	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
		if (strcmp(colours[i].word, word) == 0)
			return colours[i].escape;
	return "";
}

const char *table_plain(void)
{
	return table_is_colourful() ? "\033[0m" : "";
}
