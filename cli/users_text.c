/* users_text.c: users as JSON, as columns, as CSV.
 * SPDX-License-Identifier: MIT */
#include "cli/users_text.h"

#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model/vocab.h"

static bool append_group(void *arg, const char *group, size_t len)
{
	json_array_append_new(arg, json_stringn(group, len));
	return true;
}

json_t *user_to_json(const struct user_fields *fields)
{
	json_t *user = json_pack("{s:s}", "id", user_field(fields, USER_ID));
	json_t *groups = json_array(), *addresses = json_object();
	const struct user_override *overrides;
	char key[USER_MAX_FIELD_BYTES + 32];
	size_t count;

	if (*user_field(fields, USER_NAME) != '\0')
		json_object_set_new(user, "name", json_string(user_field(fields, USER_NAME)));
	user_list_each(user_field(fields, USER_GROUPS), append_group, groups);
	for (int i = USER_EXTENSION; i < USER_COLUMN_COUNT; i++)
		if (*user_field(fields, (enum user_column)i) != '\0')
			json_object_set_new(addresses, vocab_name(&vocab_user_column, i),
			    json_string(user_field(fields, (enum user_column)i)));
	overrides = user_overrides(fields, &count);
	for (size_t i = 0; i < count; i++) {
		snprintf(
		    key, sizeof key, "%s@%s", vocab_name(&vocab_user_column, overrides[i].column), overrides[i].source);
		json_object_set_new(addresses, key, json_string(overrides[i].value));
	}
	json_object_set_new(user, "groups", groups);
	json_object_set_new(user, "addresses", addresses);
	return user;
}

/* --- JSON -> columns ----------------------------------------------------------------------------- */

/* "line" or "line@switch2" -> column and where the source begins (NULL: plain). False: there is no such column. */
static bool split_key(const char *key, int *ret_column, const char **ret_source)
{
	const char *at = strchr(key, '@');
	char name[64];

	snprintf(name, sizeof name, "%.*s", at == NULL ? 63 : (int)(at - key), key);
	*ret_column = vocab_find(&vocab_user_column, name);
	*ret_source = at == NULL ? NULL : at + 1;
	return *ret_column >= 0 && (at == NULL || (at[1] != '\0' && *ret_column != USER_ID));
}

static bool join_groups(const json_t *groups, struct buf *b, char *why, size_t size)
{
	for (size_t i = 0; i < json_array_size(groups); i++) {
		const char *group = json_string_value(json_array_get(groups, i));

		if (group == NULL || strchr(group, ';') != NULL) {
			snprintf(why, size, "groups: expected texts without ;");
			return false;
		}
		buf_puts(b, i == 0 ? "" : ";");
		buf_puts(b, group);
	}
	if (b->failed)
		snprintf(why, size, "groups are longer than %zu bytes", b->max);
	return !b->failed;
}

static bool take_addresses(
    const json_t *addresses, struct user_columns *columns, struct user_override *overrides, char *why, size_t size)
{
	const char *key, *source;
	json_t *value;
	int column;

	json_object_foreach((json_t *)(void *)addresses, key, value)
	{
		if (!split_key(key, &column, &source) || (source == NULL && column < USER_EXTENSION)) {
			snprintf(why, size, "addresses: \"%.60s\" is no column that this program knows", key);
			return false;
		}
		if (!json_is_string(value)) {
			snprintf(why, size, "addresses: expected a text for \"%.60s\"", key);
			return false;
		}
		if (source == NULL)
			columns->values[column] = json_string_value(value);
		else if (json_string_length(value) > 0)
			overrides[columns->override_count++] =
			    (struct user_override){ (uint8_t)column, source, json_string_value(value) };
		if (columns->override_count > USER_MAX_OVERRIDES)
			break; /* the check tells */
	}
	return true;
}

/* Only what is known here: to leave out the rest would be to lose it. */
static bool knows_all_of(const json_t *user, char *why, size_t size)
{
	static const char *const known[] = { "id", "name", "groups", "addresses", "origins" };
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(void *)user, key, value)
	{
		bool found = false;

		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			found = found || strcmp(known[i], key) == 0;
		if (!found) {
			snprintf(why, size, "a user has no \"%.60s\"", key);
			return false;
		}
	}
	return true;
}

static bool is_absent_or(const json_t *value, json_type type)
{
	return value == NULL || json_typeof(value) == type;
}

static bool has_types(const json_t *user, char *why, size_t size)
{
	if (!json_is_string(json_object_get(user, "id"))) {
		snprintf(why, size, "id: expected a text");
		return false;
	}
	if (!is_absent_or(json_object_get(user, "name"), JSON_STRING) ||
	    !is_absent_or(json_object_get(user, "groups"), JSON_ARRAY) ||
	    !is_absent_or(json_object_get(user, "addresses"), JSON_OBJECT)) {
		snprintf(why, size, "expected a text as name, a list as groups, and an object as addresses");
		return false;
	}
	return knows_all_of(user, why, size);
}

struct user_fields *user_from_json(const json_t *user, char *why, size_t size)
{
	struct user_override overrides[USER_MAX_OVERRIDES + 1];
	struct user_columns columns = { .overrides = overrides };
	struct user_fields *fields = NULL;
	struct buf groups;

	if (!has_types(user, why, size))
		return NULL;
	buf_init(&groups, (size_t)USER_MAX_GROUPS * (USER_MAX_FIELD_BYTES + 1));
	columns.values[USER_ID] = json_string_value(json_object_get(user, "id"));
	columns.values[USER_NAME] = json_string_value(json_object_get(user, "name"));
	if (join_groups(json_object_get(user, "groups"), &groups, why, size) &&
	    take_addresses(json_object_get(user, "addresses"), &columns, overrides, why, size)) {
		columns.values[USER_GROUPS] = buf_text(&groups);
		if (user_columns_check(&columns, why, size) == NULL && (fields = user_fields_new(&columns)) == NULL)
			snprintf(why, size, "there is not enough memory");
	}
	buf_done(&groups);
	return fields;
}

/* --- parameters of users.set --------------------------------------------------------------------- */

static json_t *value_of(int column, const char *text)
{
	json_t *groups;

	if (*text == '\0')
		return json_null();
	if (column != USER_GROUPS)
		return json_string(text);
	groups = json_array();
	user_list_each(text, append_group, groups);
	return groups;
}

bool user_assign(json_t *params, const char *text, char *why, size_t size)
{
	const char *equal = strchr(text, '='), *source;
	char key[USER_MAX_FIELD_BYTES], known[256];
	json_t *into = params;
	int column = -1;

	snprintf(key, sizeof key, "%.*s", equal == NULL ? 0 : (int)(equal - text), text);
	if (equal == NULL || !split_key(key, &column, &source) || column == USER_ID) {
		snprintf(why, size, "\"%.60s\": expected COLUMN=VALUE or COLUMN@SOURCE=VALUE, where a column is %s",
		    text, vocab_list(&vocab_user_column, known, sizeof known));
		return false;
	}
	if (source != NULL || column >= USER_EXTENSION) {
		into = json_object_get(params, "addresses");
		if (into == NULL && json_object_set_new(params, "addresses", json_object()) == 0)
			into = json_object_get(params, "addresses");
	}
	if (json_object_get(into, key) != NULL) {
		snprintf(why, size, "%.60s is given twice", key);
		return false;
	}
	json_object_set_new(into, key, value_of(column, equal + 1));
	return true;
}

/* --- CSV ----------------------------------------------------------------------------------------- */

void users_columns_init(struct users_columns *c)
{
	*c = (struct users_columns){ .columns[0] = { .column = USER_ID }, .count = 1 };
}

void users_columns_done(struct users_columns *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->columns[i].source);
	c->count = 0;
}

/* The order of the file: plain ones before those of sources, each as the vocabulary has them. */
static int compare(const struct users_column *c, int column, const char *source)
{
	if ((c->source == NULL) != (source == NULL))
		return c->source == NULL ? -1 : 1;
	if (c->column != column)
		return c->column < column ? -1 : 1;
	return source == NULL ? 0 : strcmp(c->source, source);
}

static bool add_column(struct users_columns *c, int column, const char *source)
{
	size_t place = 0;
	char *copy;

	while (place < c->count && compare(&c->columns[place], column, source) < 0)
		place++;
	if (place < c->count && compare(&c->columns[place], column, source) == 0)
		return true;
	copy = source == NULL ? NULL : strdup(source);
	if (c->count == USERS_TEXT_MAX_COLUMNS || (source != NULL && copy == NULL)) {
		free(copy);
		return false;
	}
	memmove(&c->columns[place + 1], &c->columns[place], (c->count - place) * sizeof c->columns[0]);
	c->columns[place] = (struct users_column){ column, copy };
	c->count++;
	return true;
}

bool users_columns_add(struct users_columns *c, const struct user_fields *fields)
{
	const struct user_override *overrides;
	size_t count;

	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		if (*user_field(fields, (enum user_column)i) != '\0' && !add_column(c, i, NULL))
			return false;
	overrides = user_overrides(fields, &count);
	for (size_t i = 0; i < count; i++)
		if (!add_column(c, overrides[i].column, overrides[i].source))
			return false;
	return true;
}

/* A field that is empty needs no quotes; the others always have them, as libcsv writes. */
static void write_field(struct buf *b, bool last, const char *text)
{
	size_t len = strlen(text), room = 2 * len + 2; /* each may be a quote */
	char *quoted = *text == '\0' ? NULL : malloc(room);

	if (quoted != NULL)
		buf_put(b, quoted, csv_write2(quoted, room, text, len, CSV_QUOTE));
	else if (*text != '\0')
		b->failed = true;
	free(quoted);
	buf_putc(b, last ? '\n' : ',');
}

void users_columns_write_titles(const struct users_columns *c, struct buf *b)
{
	char title[USER_MAX_FIELD_BYTES + 32];

	for (size_t i = 0; i < c->count; i++) {
		const struct users_column *column = &c->columns[i];

		snprintf(title, sizeof title, "%s%s%s", vocab_name(&vocab_user_column, column->column),
		    column->source == NULL ? "" : "@", column->source == NULL ? "" : column->source);
		write_field(b, i + 1 == c->count, title);
	}
}

static const char *override_of(const struct user_fields *fields, const struct users_column *column)
{
	size_t count;
	const struct user_override *overrides = user_overrides(fields, &count);

	for (size_t i = 0; i < count; i++)
		if (overrides[i].column == column->column && strcmp(overrides[i].source, column->source) == 0)
			return overrides[i].value;
	return "";
}

void users_columns_write_user(const struct users_columns *c, const struct user_fields *fields, struct buf *b)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct users_column *column = &c->columns[i];

		write_field(b, i + 1 == c->count,
		    column->source == NULL ? user_field(fields, (enum user_column)column->column) :
					     override_of(fields, column));
	}
}
