/* option.c: tables of options over plain structs.
 * SPDX-License-Identifier: MIT */
#include "connectors/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/instant.h"

static void *value_of(const struct option *o, void *settings)
{
	return (char *)settings + o->offset;
}

static const void *value_in(const struct option *o, const void *settings)
{
	return (const char *)settings + o->offset;
}

static const char *const *bool_names(void)
{
	static const char *const names[] = { "false", "true", NULL };

	return names;
}

const char *option_expects(const struct option *o, char *buf, size_t size)
{
	char words[512], low[DURATION_TEXT_SIZE], high[DURATION_TEXT_SIZE];

	switch (o->kind) {
	case OPTION_TEXT:
		snprintf(buf, size, "a text");
		break;
	case OPTION_PATH:
		snprintf(buf, size, "a file name");
		break;
	case OPTION_BOOL:
		snprintf(buf, size, "true or false");
		break;
	case OPTION_INT:
		if (o->max > 0)
			snprintf(buf, size, "a whole number from %lld to %lld", (long long)o->min, (long long)o->max);
		else
			snprintf(buf, size, "a whole number");
		break;
	case OPTION_DURATION:
		if (o->max > 0)
			snprintf(buf, size, "a duration from %s to %s, such as 15s or 5m", duration_format(o->min, low),
			    duration_format(o->max, high));
		else
			snprintf(buf, size, "a duration such as 15s or 5m");
		break;
	case OPTION_RATE:
		snprintf(buf, size, "a rate from %lld/s to %lld/s, such as 10/s", (long long)o->min, (long long)o->max);
		break;
	case OPTION_MODE:
		snprintf(buf, size, "a file mode in quotes, such as \"0660\"");
		break;
	case OPTION_WORD:
		snprintf(buf, size, "%s", vocab_list(o->words, words, sizeof words));
		break;
	case OPTION_WORDS:
		snprintf(buf, size, "a list of %s", vocab_list(o->words, words, sizeof words));
		break;
	case OPTION_LIST:
		snprintf(
		    buf, size, (o->flags & OPTION_ONE_WILL_DO) != 0 ? "a text or a list of texts" : "a list of texts");
		break;
	}
	return buf;
}

void option_list_clear(struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct option_list){ 0 };
}

int option_list_add(struct option_list *list, const char *text, size_t len)
{
	char **items = reallocarray(list->items, list->count + 1, sizeof *items);
	char *copy;

	if (items == NULL)
		return -ENOMEM;
	list->items = items;
	copy = strndup(text, len);
	if (copy == NULL)
		return -ENOMEM;
	list->items[list->count++] = copy;
	return 0;
}

static int parse_whole(const char *text, int64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0 ? 0 : -EINVAL;
}

static int parse_rate(const char *text, int64_t *ret)
{
	size_t len = strlen(text);
	char digits[24];

	if (len < 3 || len - 2 >= sizeof digits || strcmp(text + len - 2, "/s") != 0)
		return -EINVAL;
	memcpy(digits, text, len - 2);
	digits[len - 2] = '\0';
	return parse_whole(digits, ret);
}

static int parse_mode(const char *text, int64_t *ret)
{
	char *end;

	if (strlen(text) != 4 || text[0] != '0')
		return -EINVAL;
	*ret = strtol(text, &end, 8);
	return *end == '\0' ? 0 : -EINVAL;
}

static int parse_word(const struct vocab *words, const char *text, int64_t *ret)
{
	*ret = vocab_find(words, text);
	return *ret < 0 ? -EINVAL : 0;
}

/* Entries of "[a, b]" or "a". */
static int each_entry(const char *text, int (*each)(void *arg, const char *entry, size_t len), void *arg)
{
	int r = 0;

	while (*text != '\0' && r == 0) {
		size_t len;

		text += strspn(text, "[], ");
		len = strcspn(text, "[],");
		if (len > 0)
			r = each(arg, text, len);
		text += len;
	}
	return r;
}

static int add_entry(void *arg, const char *entry, size_t len)
{
	return option_list_add(arg, entry, len);
}

struct word_set {
	const struct vocab *words;
	uint64_t set;
};

static int add_word(void *arg, const char *entry, size_t len)
{
	struct word_set *s = arg;
	char name[64];
	int value;

	if (len >= sizeof name)
		return -EINVAL;
	memcpy(name, entry, len);
	name[len] = '\0';
	value = vocab_find(s->words, name);
	if (value < 0)
		return -EINVAL;
	s->set |= UINT64_C(1) << value;
	return 0;
}

static int set_text(char **value, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return -ENOMEM;
	free(*value);
	*value = copy;
	return 0;
}

static int set_number(const struct option *o, int64_t *value, const char *text)
{
	int64_t n = 0;
	int r = -EINVAL;

	switch (o->kind) {
	case OPTION_INT:
		r = parse_whole(text, &n);
		break;
	case OPTION_DURATION:
		r = duration_parse(text, &n);
		break;
	case OPTION_RATE:
		r = parse_rate(text, &n);
		break;
	case OPTION_MODE:
		r = parse_mode(text, &n);
		break;
	case OPTION_WORD:
		r = parse_word(o->words, text, &n);
		break;
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_BOOL:
	case OPTION_WORDS:
	case OPTION_LIST:
		break;
	}
	if (r < 0 || (o->max > 0 && (n < o->min || n > o->max)))
		return -EINVAL;
	*value = n;
	return 0;
}

static int set_value(const struct option *o, void *value, const char *text)
{
	struct word_set set = { .words = o->words };
	int r;

	switch (o->kind) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return *text == '\0' && (o->flags & OPTION_MAY_BE_EMPTY) == 0 ? -EINVAL : set_text(value, text);
	case OPTION_BOOL:
		if (strcmp(text, bool_names()[0]) != 0 && strcmp(text, bool_names()[1]) != 0)
			return -EINVAL;
		*(bool *)value = strcmp(text, bool_names()[1]) == 0;
		return 0;
	case OPTION_LIST:
		option_list_clear(value);
		return each_entry(text, add_entry, value);
	case OPTION_WORDS:
		r = each_entry(text, add_word, &set);
		if (r == 0)
			*(uint64_t *)value = set.set;
		return r;
	case OPTION_INT:
	case OPTION_DURATION:
	case OPTION_RATE:
	case OPTION_MODE:
	case OPTION_WORD:
		break;
	}
	return set_number(o, value, text);
}

void option_wrong(const struct option_critic *critic, const char *option, const char *format, ...)
{
	char why[512];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	critic->wrong(critic->arg, option, why);
}

int option_set_text(const struct option *o, void *settings, const char *text, char *err, size_t err_size)
{
	char expects[640];
	int r = set_value(o, value_of(o, settings), text);

	if (r == -EINVAL)
		snprintf(err, err_size, "expected %s", option_expects(o, expects, sizeof expects));
	return r;
}

int options_set_defaults(const struct option *table, void *settings)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
		char err[256];
		int r = o->fallback == NULL ? 0 : option_set_text(o, settings, o->fallback, err, sizeof err);

		if (r < 0)
			return r;
	}
	return 0;
}

void options_done(const struct option *table, void *settings)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
		if (o->kind == OPTION_TEXT || o->kind == OPTION_PATH) {
			free(*(char **)value_of(o, settings));
			*(char **)value_of(o, settings) = NULL;
		} else if (o->kind == OPTION_LIST) {
			option_list_clear(value_of(o, settings));
		}
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_list(const struct option_list *a, const struct option_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool same_value(const struct option *o, const void *a, const void *b)
{
	switch (o->kind) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return same_text(*(char *const *)a, *(char *const *)b);
	case OPTION_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case OPTION_LIST:
		return same_list(a, b);
	case OPTION_INT:
	case OPTION_DURATION:
	case OPTION_RATE:
	case OPTION_MODE:
	case OPTION_WORD:
	case OPTION_WORDS:
		break;
	}
	return *(const int64_t *)a == *(const int64_t *)b;
}

int options_equal(const struct option *table, const void *a, const void *b)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++)
		if (!same_value(o, value_in(o, a), value_in(o, b)))
			return 0;
	return 1;
}

static bool has_value(const struct option *o, const void *settings)
{
	const void *value = value_in(o, settings);

	switch (o->kind) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return *(char *const *)value != NULL && **(char *const *)value != '\0';
	case OPTION_LIST:
		return ((const struct option_list *)value)->count > 0;
	case OPTION_BOOL:
	case OPTION_INT:
	case OPTION_DURATION:
	case OPTION_RATE:
	case OPTION_MODE:
	case OPTION_WORD:
	case OPTION_WORDS:
		break;
	}
	return true;
}

const struct option *options_missing(const struct option *table, const void *settings)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++)
		if ((o->flags & OPTION_REQUIRED) != 0 && !has_value(o, settings))
			return o;
	return NULL;
}

static void print_list(const struct option_list *list, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < list->count && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i == 0 ? "" : ", ", list->items[i]);
}

static void print_words(const struct vocab *words, uint64_t set, char *buf, size_t size)
{
	size_t used = 0;

	for (int i = 0; i < words->count && used < size; i++)
		if ((set >> i & 1) != 0)
			used += (size_t)snprintf(
			    buf + used, size - used, "%s%s", used == 0 ? "" : ", ", words->words[i].name);
}

const char *option_text(const struct option *o, const void *settings, char *buf, size_t size)
{
	const void *value = value_in(o, settings);
	char duration[DURATION_TEXT_SIZE];

	buf[0] = '\0';
	switch (o->kind) {
	case OPTION_TEXT:
	case OPTION_PATH:
		if (has_value(o, settings))
			snprintf(buf, size, "%s", (o->flags & OPTION_SECRET) != 0 ? "***" : *(char *const *)value);
		break;
	case OPTION_BOOL:
		snprintf(buf, size, "%s", bool_names()[*(const bool *)value]);
		break;
	case OPTION_INT:
		snprintf(buf, size, "%lld", (long long)*(const int64_t *)value);
		break;
	case OPTION_DURATION:
		snprintf(buf, size, "%s", duration_format(*(const int64_t *)value, duration));
		break;
	case OPTION_RATE:
		snprintf(buf, size, "%lld/s", (long long)*(const int64_t *)value);
		break;
	case OPTION_MODE:
		snprintf(buf, size, "%04llo", (unsigned long long)*(const int64_t *)value);
		break;
	case OPTION_WORD:
		snprintf(buf, size, "%s", vocab_name(o->words, (int)*(const int64_t *)value));
		break;
	case OPTION_WORDS:
		print_words(o->words, *(const uint64_t *)value, buf, size);
		break;
	case OPTION_LIST:
		print_list(value, buf, size);
		break;
	}
	return buf;
}
