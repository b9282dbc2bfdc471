/* users_csv.c: users.csv with libcsv.
 * SPDX-License-Identifier: MIT */
#include "daemon/users_csv.h"

#include <csv.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hashtab.h"
#include "daemon/base/utf8.h"
#include "daemon/model/vocab.h"

#define MAX_COLUMNS	 64
#define MAX_RECORD_BYTES 65536

#define ROW_NOT_BEGUN 0 /* libcsv's state between records, which it has no function for */
#define MARK_BYTES    3
static const char mark[] = "\xef\xbb\xbf";

/* An id that was seen, and where: a second one is a slip that would silently win. */
struct seen_id {
	struct hash_link link;
	size_t line;
	char id[];
};

/* They are many and go together: a hundred blocks are freed at once, a hundred thousand pieces are not. */
#define BLOCK_BYTES 65536
struct block {
	struct block *next;
	size_t used;
	char data[BLOCK_BYTES];
};

struct column {
	int column;   /* enum user_column */
	char *source; /* of COLUMN@SOURCE; NULL plain */
};

struct users_csv {
	struct csv_parser csv;
	const char *name;
	struct buf *errors;
	int (*each)(void *arg, struct user_fields *fields);
	void *arg;
	struct column columns[MAX_COLUMNS];
	size_t column_count;
	bool header_read;
	size_t line, record_line; /* of the text being read, and where its record began */
	size_t mark_seen;	  /* bytes of the byte order mark */
	size_t error_count;
	struct hashtab ids;
	struct block *blocks; /* of the ids */
	struct buf record;    /* fields of the record so far, each with a NUL */
	size_t offsets[MAX_COLUMNS];
	size_t field_count;
	int result; /* not 0: stop */
};

static const char *seen_key(const struct hash_link *link)
{
	return hash_entry(link, const struct seen_id, link)->id;
}

static void fail(struct users_csv *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct users_csv *p, const char *format, ...)
{
	char text[512];
	va_list args;

	if (++p->error_count > USERS_CSV_MAX_ERRORS)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	utf8_repair(text);
	buf_printf(p->errors, "%s:%zu: %s\n", p->name, p->record_line, text);
}

struct users_csv *users_csv_new(
    const char *name, struct buf *errors, int (*each)(void *arg, struct user_fields *fields), void *arg)
{
	struct users_csv *p = calloc(1, sizeof *p);

	if (p == NULL || csv_init(&p->csv, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) {
		free(p);
		return NULL;
	}
	p->name = name;
	p->errors = errors;
	p->each = each;
	p->arg = arg;
	p->line = p->record_line = 1;
	hashtab_init(&p->ids, seen_key);
	buf_init(&p->record, MAX_RECORD_BYTES);
	return p;
}

void users_csv_expect(struct users_csv *p, size_t count)
{
	hashtab_reserve(&p->ids, count);
}

void users_csv_free(struct users_csv *p)
{
	struct block *block;

	if (p == NULL)
		return;
	while ((block = p->blocks) != NULL) {
		p->blocks = block->next;
		free(block);
	}
	hashtab_done(&p->ids);
	for (size_t i = 0; i < p->column_count; i++)
		free(p->columns[i].source);
	buf_done(&p->record);
	csv_free(&p->csv);
	free(p);
}

/* --- records ------------------------------------------------------------------------------------- */

static const char *field(const struct users_csv *p, size_t i)
{
	return buf_text(&p->record) + p->offsets[i];
}

static void read_column(struct users_csv *p, const char *title)
{
	const char *at = strchr(title, '@');
	char name[64], known[256];
	struct column *c = &p->columns[p->column_count];

	snprintf(name, sizeof name, "%.*s", at == NULL ? 63 : (int)(at - title), title);
	*c = (struct column){ .column = vocab_find(&vocab_user_column, name) };
	if (c->column < 0 || (at != NULL && (!user_is_source_name(at + 1) || c->column == USER_ID))) {
		fail(p, "unknown column \"%.40s\", expected %s, or one of them with @SOURCE", title,
		    vocab_list(&vocab_user_column, known, sizeof known));
		p->result = -EINVAL;
		return;
	}
	for (size_t i = 0; i < p->column_count; i++) {
		const struct column *o = &p->columns[i];

		if (o->column == c->column &&
		    ((at == NULL && o->source == NULL) ||
			(at != NULL && o->source != NULL && strcmp(o->source, at + 1) == 0)))
			fail(p, "the column \"%.40s\" stands here twice", title);
	}
	c->source = at == NULL ? NULL : strdup(at + 1);
	p->column_count++;
}

static void read_header(struct users_csv *p)
{
	bool has_id = false;

	for (size_t i = 0; i < p->field_count && p->result == 0; i++)
		read_column(p, field(p, i));
	for (size_t i = 0; i < p->column_count; i++)
		has_id = has_id || p->columns[i].column == USER_ID;
	if (p->result == 0 && !has_id) {
		fail(p, "there is no column id");
		p->result = -EINVAL;
	}
	p->header_read = true;
}

/* Room in a block; NULL without memory. */
static void *allocate(struct users_csv *p, size_t size)
{
	void *room;

	size = (size + 15) / 16 * 16;
	if (p->blocks == NULL || p->blocks->used + size > BLOCK_BYTES) {
		struct block *block = malloc(sizeof *block);

		if (block == NULL)
			return NULL;
		block->next = p->blocks;
		block->used = 0;
		p->blocks = block;
	}
	room = p->blocks->data + p->blocks->used;
	p->blocks->used += size;
	return room;
}

static bool is_new_id(struct users_csv *p, const char *id)
{
	struct hash_link *link = hashtab_find(&p->ids, id);
	struct seen_id *seen;

	if (link != NULL) {
		fail(p, "id \"%.60s\" was already given in line %zu", id, hash_entry(link, struct seen_id, link)->line);
		return false;
	}
	seen = allocate(p, sizeof *seen + strlen(id) + 1);
	if (seen == NULL) {
		p->result = -ENOMEM;
		return false;
	}
	seen->line = p->record_line;
	memcpy(seen->id, id, strlen(id) + 1);
	(void)hashtab_insert(&p->ids, &seen->link); /* without memory a second one is not noticed */
	return true;
}

static void keep_user(struct users_csv *p)
{
	struct user_override overrides[MAX_COLUMNS];
	struct user_columns columns = { .overrides = overrides };
	struct user_fields *fields;
	const char *wrong;
	char why[256];

	for (size_t i = 0; i < p->field_count; i++) {
		const struct column *c = &p->columns[i];

		if (c->source == NULL)
			columns.values[c->column] = field(p, i);
		else if (*field(p, i) != '\0')
			overrides[columns.override_count++] =
			    (struct user_override){ (uint8_t)c->column, c->source, field(p, i) };
	}
	wrong = user_columns_check(&columns, why, sizeof why);
	if (wrong != NULL) {
		fail(p, "%s", wrong);
		return;
	}
	if (columns.values[USER_ID] == NULL || !is_new_id(p, columns.values[USER_ID]))
		return;
	fields = user_fields_new(&columns);
	p->result = fields == NULL ? -ENOMEM : p->each(p->arg, fields);
}

static void on_field(void *text, size_t len, void *arg)
{
	struct users_csv *p = arg;

	if (p->result == 0 && p->field_count < MAX_COLUMNS) {
		p->offsets[p->field_count++] = p->record.len;
		if (len > 0 && memchr(text, '\0', len) != NULL)
			fail(p, "a field holds a NUL character");
		buf_put(&p->record, text, len);
		buf_putc(&p->record, '\0');
	}
}

static void on_record(int last, void *arg)
{
	struct users_csv *p = arg;

	(void)last;
	if (p->result != 0)
		return;
	if (p->record.failed)
		fail(p, "the record is longer than %d bytes", MAX_RECORD_BYTES);
	else if (!p->header_read)
		read_header(p);
	else if (p->field_count != p->column_count)
		fail(p, "found %zu fields, expected %zu as in the first line", p->field_count, p->column_count);
	else
		keep_user(p);
	buf_clear(&p->record);
	p->field_count = 0;
	p->record_line = p->line; /* a lone CR ends a record, but not a line */
}

/* One piece that ends with a line break at the most: so the callbacks know the line. */
static int feed_line(struct users_csv *p, const char *text, size_t len)
{
	if (p->csv.pstate == ROW_NOT_BEGUN)
		p->record_line = p->line;
	if (csv_parse(&p->csv, text, len, on_field, on_record, p) != len) {
		fail(p, "not CSV: %s", csv_strerror(csv_error(&p->csv)));
		return -EINVAL;
	}
	if (text[len - 1] == '\n')
		p->line++;
	return p->result;
}

/* Skip the byte order mark that spreadsheets write, however it is cut. What only began like one is text. */
static int skip_mark(struct users_csv *p, const char **text, size_t *len)
{
	size_t seen = p->mark_seen;

	while (*len > 0 && p->mark_seen < MARK_BYTES && **text == mark[p->mark_seen]) {
		p->mark_seen++;
		++*text;
		--*len;
	}
	if (*len == 0 || seen > MARK_BYTES)
		return 0;
	seen = p->mark_seen;
	p->mark_seen = MARK_BYTES + 1; /* over */
	return seen == 0 || seen == MARK_BYTES ? 0 : feed_line(p, mark, seen);
}

int users_csv_feed(struct users_csv *p, const char *text, size_t len)
{
	int r = skip_mark(p, &text, &len);

	while (r == 0 && len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end == NULL ? len : (size_t)(end - text) + 1;

		r = feed_line(p, text, n);
		text += n;
		len -= n;
	}
	return r;
}

size_t users_csv_end(struct users_csv *p)
{
	size_t count;

	if (p == NULL)
		return 0;
	if (p->result == 0 && csv_fini(&p->csv, on_field, on_record, p) != 0)
		fail(p, "not CSV: the file ends inside quotes");
	if (!p->header_read && p->error_count == 0)
		fail(p, "the file is empty, expected a line that names the columns");
	count = p->error_count;
	if (count > USERS_CSV_MAX_ERRORS)
		buf_printf(p->errors, "%s: and %zu more errors\n", p->name, count - USERS_CSV_MAX_ERRORS);
	users_csv_free(p);
	return count;
}
