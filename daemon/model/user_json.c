/* user_json.c: users in JSON, written and read.
 * SPDX-License-Identifier: MIT */
#include "daemon/model/user_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/base/utf8.h"
#include "daemon/model/vocab.h"

#define SOURCE_MAX_BYTES USER_MAX_SOURCE_BYTES

/* --- writing ------------------------------------------------------------------------------------- */

static bool write_group(void *arg, const char *entry, size_t len)
{
	jsonw_text_len(arg, NULL, entry, len);
	return true;
}

static void write_addresses(struct buf *b, const struct user_fields *f)
{
	const struct user_override *overrides;
	char key[SOURCE_MAX_BYTES + 32];
	size_t count;

	jsonw_object(b, "addresses");
	for (int i = USER_EXTENSION; i < USER_COLUMN_COUNT; i++)
		if (*user_field(f, (enum user_column)i) != '\0')
			jsonw_text(b, vocab_user_column.words[i].name, user_field(f, (enum user_column)i));
	overrides = user_overrides(f, &count);
	for (size_t i = 0; i < count; i++) {
		snprintf(key, sizeof key, "%s@%.*s", vocab_user_column.words[overrides[i].column].name,
		    SOURCE_MAX_BYTES, overrides[i].source);
		if (overrides[i].column < USER_EXTENSION)
			continue;
		jsonw_text(b, NULL, key); /* the name of a source may need escaping */
		buf_putc(b, ':');
		jsonw_text(b, NULL, overrides[i].value);
	}
	jsonw_object_end(b);
}

void user_json_write(struct buf *b, const struct user_fields *f, bool addresses)
{
	if (*user_field(f, USER_NAME) != '\0')
		jsonw_text(b, "name", user_field(f, USER_NAME));
	jsonw_list(b, "groups");
	user_list_each(user_field(f, USER_GROUPS), write_group, b);
	jsonw_list_end(b);
	if (addresses)
		write_addresses(b, f);
}

/* --- reading ------------------------------------------------------------------------------------- */

struct patch {
	struct user_columns columns;
	struct user_override overrides[USER_MAX_OVERRIDES * 2];
	char groups[USER_MAX_FIELD_BYTES + 1];
	char *err;
	size_t err_size;
	const char *field;
};

static bool wrong(struct patch *p, const char *field, const char *what)
{
	snprintf(p->err, p->err_size, "%.80s %s", field, what);
	utf8_repair(p->err);
	p->field = field;
	return false;
}

static bool read_name(struct patch *p, const json_t *name)
{
	if (json_is_null(name))
		p->columns.values[USER_NAME] = "";
	else if (json_is_string(name))
		p->columns.values[USER_NAME] = json_string_value(name);
	else
		return wrong(p, "name", "is not a text");
	return true;
}

static bool is_group(const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	return len > 0 && strchr(text, ';') == NULL && strchr(" \t", text[0]) == NULL &&
	    strchr(" \t", text[len - 1]) == NULL;
}

static bool read_groups(struct patch *p, const json_t *groups)
{
	size_t len = 0;

	p->groups[0] = '\0';
	p->columns.values[USER_GROUPS] = p->groups;
	if (json_is_null(groups))
		return true;
	if (!json_is_array(groups))
		return wrong(p, "groups", "is not a list of texts");
	for (size_t i = 0; i < json_array_size(groups); i++) {
		const char *group = json_string_value(json_array_get(groups, i));

		if (!is_group(group))
			return wrong(p, "groups",
			    "holds what is no text, is empty, has a semicolon, or begins or ends with a blank");
		if (len + (len > 0) + strlen(group) >= sizeof p->groups)
			return wrong(p, "groups", "are longer than 1024 bytes in all");
		len += (size_t)snprintf(p->groups + len, sizeof p->groups - len, "%s%s", len == 0 ? "" : ";", group);
	}
	return true;
}

/* Drop the override, or put it in its place, or behind the others. */
static bool set_override(struct patch *p, const char *key, int column, const char *source, const char *value)
{
	size_t at = 0;

	if (!user_is_source_name(source))
		return wrong(p, key, "names no source that there can be");
	while (at < p->columns.override_count &&
	    (p->overrides[at].column != column || strcmp(p->overrides[at].source, source) != 0))
		at++;
	if (*value == '\0') {
		if (at < p->columns.override_count)
			memmove(&p->overrides[at], &p->overrides[at + 1],
			    (--p->columns.override_count - at) * sizeof *p->overrides);
		return true;
	}
	if (at == sizeof p->overrides / sizeof *p->overrides)
		return wrong(p, "addresses", "has too many for one source");
	p->overrides[at] = (struct user_override){ (uint8_t)column, source, value };
	if (at == p->columns.override_count)
		p->columns.override_count++;
	return true;
}

static bool read_address(struct patch *p, const char *key, const json_t *value)
{
	const char *at = strchr(key, '@'), *text = json_is_null(value) ? "" : json_string_value(value);
	char name[32];
	int column;

	snprintf(name, sizeof name, "%.*s", at == NULL ? (int)sizeof name - 1 : (int)(at - key), key);
	column = vocab_find(&vocab_user_column, name);
	if (column < USER_EXTENSION)
		return wrong(p, key, "is no address of a user");
	if (text == NULL)
		return wrong(p, key, "is not a text");
	if (at != NULL)
		return set_override(p, key, column, at + 1, text);
	p->columns.values[column] = text;
	return true;
}

static bool read_addresses(struct patch *p, json_t *addresses)
{
	const char *key;
	json_t *value;

	if (json_is_null(addresses)) {
		for (int i = USER_EXTENSION; i < USER_COLUMN_COUNT; i++)
			p->columns.values[i] = "";
		p->columns.override_count = 0;
		return true;
	}
	if (!json_is_object(addresses))
		return wrong(p, "addresses", "is not an object");
	json_object_foreach(addresses, key, value)
	{
		if (!read_address(p, key, value))
			return false;
	}
	return true;
}

static bool read_members(struct patch *p, const json_t *given)
{
	json_t *name = json_object_get(given, "name"), *groups = json_object_get(given, "groups"),
	       *addresses = json_object_get(given, "addresses");

	return (name == NULL || read_name(p, name)) && (groups == NULL || read_groups(p, groups)) &&
	    (addresses == NULL || read_addresses(p, addresses));
}

/* The column that a sentence of user_columns_check() begins with, as the member it came from. */
static const char *member_of(const char *sentence, const struct user_columns *columns)
{
	static const char *const members[] = { "id", "name", "groups" };

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (strncmp(sentence, members[i], strlen(members[i])) == 0)
			return members[i];
	return strncmp(sentence, "more than", 9) == 0 && columns->override_count <= USER_MAX_OVERRIDES ? "groups" :
													 "addresses";
}

int user_json_read(const json_t *given, const char *id, const struct user_fields *old, struct user_fields **ret,
    char *err, size_t err_size, const char **ret_field)
{
	struct patch p = { .err = err, .err_size = err_size };
	struct user_fields *f;

	if (old != NULL) {
		user_fields_columns(old, &p.columns);
		if (p.columns.override_count > 0)
			memcpy(p.overrides, p.columns.overrides, p.columns.override_count * sizeof *p.overrides);
	}
	p.columns.overrides = p.overrides;
	p.columns.values[USER_ID] = id;
	if (!read_members(&p, given)) {
		*ret_field = p.field;
		return -EINVAL;
	}
	if (user_columns_check(&p.columns, err, err_size) != NULL) {
		*ret_field = member_of(err, &p.columns);
		return -EINVAL;
	}
	f = user_fields_new(&p.columns);
	if (f == NULL)
		return -ENOMEM;
	*ret = f;
	return 0;
}
