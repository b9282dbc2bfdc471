/* user.c: columns of a user, kept in one block.
 * SPDX-License-Identifier: MIT */
#include "daemon/model/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model/raw_state.h"
#include "daemon/model/vocab.h"

static const struct vocab_word column_words[] = {
#define X(symbol, name, help) { name, help },
	USER_COLUMN_MAP(X)
#undef X
};
const struct vocab vocab_user_column = { "column", column_words, USER_COLUMN_COUNT };

/* Texts stand behind the struct, overrides after them; an offset of 0 is an empty column. */
struct user_fields {
	uint32_t refs;
	uint16_t offsets[USER_COLUMN_COUNT];
	uint16_t override_count;
	struct user_override *overrides; /* in this block; NULL if there are none */
	char text[];
};

static size_t length(const char *text)
{
	return text == NULL ? 0 : strlen(text);
}

struct user_fields *user_fields_new(const struct user_columns *c)
{
	size_t texts = 1, overrides = c->override_count * sizeof *c->overrides, align = _Alignof(struct user_override);
	struct user_fields *f;
	char *end;

	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		texts += length(c->values[i]) == 0 ? 0 : length(c->values[i]) + 1;
	for (size_t i = 0; i < c->override_count; i++)
		texts += length(c->overrides[i].source) + length(c->overrides[i].value) + 2;
	texts = (texts + align - 1) / align * align;
	f = calloc(1, sizeof *f + texts + overrides);
	if (f == NULL)
		return NULL;
	f->refs = 1;
	end = f->text + 1; /* text[0] is the empty text that offset 0 means */
	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		if (length(c->values[i]) == 0)
			continue;
		f->offsets[i] = (uint16_t)(end - f->text);
		end = stpcpy(end, c->values[i]) + 1;
	}
	f->override_count = (uint16_t)c->override_count;
	if (c->override_count > 0)
		f->overrides = (struct user_override *)(void *)((char *)f + sizeof *f + texts);
	for (size_t i = 0; i < c->override_count; i++) {
		f->overrides[i].column = c->overrides[i].column;
		f->overrides[i].source = end;
		end = stpcpy(end, c->overrides[i].source) + 1;
		f->overrides[i].value = end;
		end = stpcpy(end, c->overrides[i].value) + 1;
	}
	return f;
}

struct user_fields *user_fields_ref(struct user_fields *f)
{
	if (f != NULL)
		f->refs++;
	return f;
}

void user_fields_unref(struct user_fields *f)
{
	if (f != NULL && --f->refs == 0)
		free(f);
}

void user_fields_columns(const struct user_fields *f, struct user_columns *ret)
{
	*ret = (struct user_columns){ .overrides = f->overrides, .override_count = f->override_count };
	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		ret->values[i] = user_field(f, (enum user_column)i);
}

struct user_fields *user_fields_rename(const struct user_fields *f, const char *id)
{
	struct user_columns columns;

	user_fields_columns(f, &columns);
	columns.values[USER_ID] = id;
	return user_fields_new(&columns);
}

static bool has_override(const struct user_columns *c, const struct user_override *o)
{
	for (size_t i = 0; i < c->override_count; i++)
		if (c->overrides[i].column == o->column && strcmp(c->overrides[i].source, o->source) == 0)
			return true;
	return false;
}

struct user_fields *user_fields_merge(struct user_fields *const *fields, size_t count)
{
	struct user_override overrides[USER_MAX_OVERRIDES * USER_MAX_MERGED];
	struct user_columns merged, more;

	if (count == 1)
		return user_fields_ref(fields[0]);
	user_fields_columns(fields[0], &merged);
	if (merged.override_count > 0)
		memcpy(overrides, merged.overrides, merged.override_count * sizeof *overrides);
	merged.overrides = overrides;
	for (size_t k = 1; k < count; k++) {
		user_fields_columns(fields[k], &more);
		for (int i = 0; i < USER_COLUMN_COUNT; i++)
			if (*merged.values[i] == '\0')
				merged.values[i] = more.values[i];
		for (size_t i = 0; i < more.override_count; i++) {
			if (has_override(&merged, &more.overrides[i]))
				continue;
			if (merged.override_count == sizeof overrides / sizeof *overrides)
				return NULL;
			overrides[merged.override_count++] = more.overrides[i];
		}
	}
	return user_fields_new(&merged);
}

bool user_fields_equal(const struct user_fields *a, const struct user_fields *b)
{
	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		if (strcmp(user_field(a, i), user_field(b, i)) != 0)
			return false;
	if (a->override_count != b->override_count)
		return false;
	for (size_t i = 0; i < a->override_count; i++)
		if (a->overrides[i].column != b->overrides[i].column ||
		    strcmp(a->overrides[i].source, b->overrides[i].source) != 0 ||
		    strcmp(a->overrides[i].value, b->overrides[i].value) != 0)
			return false;
	return true;
}

static const char *check_text(const char *what, const char *text, size_t max, char *buf, size_t size)
{
	size_t len = length(text);

	if (len > max) {
		snprintf(buf, size, "%s is longer than %zu bytes", what, max);
		return buf;
	}
	if (!utf8_is_valid(text == NULL ? "" : text, len)) {
		snprintf(buf, size, "%s is not UTF-8", what);
		return buf;
	}
	if (text != NULL && utf8_has_control(text, len)) {
		snprintf(buf, size, "%s holds a control character", what);
		return buf;
	}
	return NULL;
}

bool user_is_source_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= USER_MAX_SOURCE_BYTES && strpbrk(text, " \t@;") == NULL && utf8_is_valid(text, len) &&
	    !utf8_has_control(text, len);
}

static bool count_entry(void *arg, const char *entry, size_t len)
{
	(void)entry;
	(void)len;
	++*(size_t *)arg;
	return true;
}

static const char *check_columns(const struct user_columns *c, char *buf, size_t size)
{
	const char *id = c->values[USER_ID];
	size_t groups = 0;
	const char *wrong;

	if (length(id) == 0) {
		snprintf(buf, size, "id is empty");
		return buf;
	}
	if (strchr(id, ' ') != NULL) {
		snprintf(buf, size, "id \"%.40s\" holds a space", id);
		return buf;
	}
	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		wrong = check_text(vocab_user_column.words[i].name, c->values[i],
		    i == USER_ID ? USER_MAX_ID_BYTES : USER_MAX_FIELD_BYTES, buf, size);
		if (wrong != NULL)
			return wrong;
	}
	for (size_t i = 0; i < c->override_count; i++) {
		wrong = check_text("an address for one source", c->overrides[i].value, USER_MAX_FIELD_BYTES, buf, size);
		if (wrong != NULL)
			return wrong;
	}
	if (c->values[USER_GROUPS] != NULL)
		user_list_each(c->values[USER_GROUPS], count_entry, &groups);
	if (groups > USER_MAX_GROUPS || c->override_count > USER_MAX_OVERRIDES) {
		snprintf(buf, size, "more than %d groups or %d addresses for one source", USER_MAX_GROUPS,
		    USER_MAX_OVERRIDES);
		return buf;
	}
	return NULL;
}

const char *user_columns_check(const struct user_columns *c, char *buf, size_t size)
{
	const char *wrong = check_columns(c, buf, size);

	if (wrong != NULL)
		utf8_repair(buf);
	return wrong;
}

const char *user_field(const struct user_fields *f, enum user_column column)
{
	return f->text + f->offsets[column];
}

const struct user_override *user_overrides(const struct user_fields *f, size_t *ret_count)
{
	*ret_count = f->override_count;
	return f->overrides;
}

static const char *override_of(const struct user_fields *f, enum user_column column, const char *source)
{
	for (size_t i = 0; i < f->override_count; i++)
		if (f->overrides[i].column == column && strcmp(f->overrides[i].source, source) == 0)
			return f->overrides[i].value;
	return NULL;
}

struct text_room {
	char *buf;
	size_t size;
};

static bool take_first(void *arg, const char *entry, size_t len)
{
	struct text_room *room = arg;

	if (len < room->size) {
		memcpy(room->buf, entry, len);
		room->buf[len] = '\0';
	}
	return false;
}

bool user_address(const struct user_fields *f, enum user_column column, const char *source, char *buf, size_t size)
{
	const char *text = override_of(f, column, source);

	buf[0] = '\0';
	if (text != NULL && strcmp(text, "-") == 0)
		return false;
	if (text == NULL || *text == '\0')
		text = user_field(f, column);
	if (*text == '\0' && column == USER_LINE)
		return user_address(f, USER_EXTENSION, source, buf, size);
	if (column == USER_EXTENSION)
		user_list_each(text, take_first, &(struct text_room){ buf, size });
	else if (strlen(text) < size)
		memcpy(buf, text, strlen(text) + 1);
	return buf[0] != '\0';
}

void user_list_each(const char *list, bool (*each)(void *arg, const char *entry, size_t len), void *arg)
{
	while (*list != '\0') {
		size_t whole = strcspn(list, ";"), blanks = strspn(list, " \t"), len;

		len = whole > blanks ? whole - blanks : 0;
		while (len > 0 && strchr(" \t", list[blanks + len - 1]) != NULL)
			len--;
		if (len > 0 && !each(arg, list + blanks, len))
			return;
		list += whole + (list[whole] == ';');
	}
}
