/* config_yaml.c: libyaml documents, read by tables of options.
 * SPDX-License-Identifier: MIT */
#include "daemon/config_yaml.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/utf8.h"

/* One line: a key or a value may hold line breaks. */
static void say(struct config_reader *r, struct buf *to, size_t line, size_t column, const char *path,
    const char *format, va_list args)
{
	char text[1024];
	int n = snprintf(text, sizeof text, "%s%s", path, *path == '\0' ? "" : ": ");

	if (n > 0 && (size_t)n < sizeof text)
		vsnprintf(text + n, sizeof text - (size_t)n, format, args);
	for (char *c = text; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	utf8_repair(text);
	buf_printf(to, "%s:%zu:%zu: %s\n", r->file, line + 1, column + 1, text);
}

void config_error(struct config_reader *r, const yaml_node_t *node, const char *path, const char *format, ...)
{
	va_list args;

	if (++r->error_count > CONFIG_MAX_ERRORS)
		return;
	va_start(args, format);
	say(r, r->errors, node == NULL ? 0 : node->start_mark.line, node == NULL ? 0 : node->start_mark.column, path,
	    format, args);
	va_end(args);
}

void config_warning(struct config_reader *r, const yaml_node_t *node, const char *path, const char *format, ...)
{
	va_list args;

	if (r->warnings == NULL)
		return;
	va_start(args, format);
	say(r, r->warnings, node == NULL ? 0 : node->start_mark.line, node == NULL ? 0 : node->start_mark.column, path,
	    format, args);
	va_end(args);
}

static void syntax_error(struct config_reader *r, const yaml_parser_t *parser)
{
	r->error_count++;
	buf_printf(r->errors, "%s:%zu:%zu: not YAML: %s%s%s\n", r->file, parser->problem_mark.line + 1,
	    parser->problem_mark.column + 1, parser->problem == NULL ? "unreadable" : parser->problem,
	    parser->context == NULL ? "" : " ", parser->context == NULL ? "" : parser->context);
}

static int load(struct config_reader *r, FILE *f)
{
	yaml_parser_t parser;
	yaml_document_t second;
	int ok;

	if (yaml_parser_initialize(&parser) == 0)
		return -ENOMEM;
	yaml_parser_set_input_file(&parser, f);
	ok = yaml_parser_load(&parser, &r->document);
	if (ok == 0) {
		syntax_error(r, &parser);
	} else if (yaml_document_get_root_node(&r->document) != NULL && yaml_parser_load(&parser, &second) != 0) {
		if (yaml_document_get_root_node(&second) != NULL)
			config_error(
			    r, yaml_document_get_root_node(&second), "", "a second document begins here, expected one");
		yaml_document_delete(&second);
	} else if (parser.error != YAML_NO_ERROR) {
		syntax_error(r, &parser);
	}
	yaml_parser_delete(&parser);
	return ok == 0 ? -EINVAL : 0;
}

int config_reader_open(struct config_reader *r, const char *file, struct buf *errors, struct buf *warnings)
{
	const char *folder;
	struct stat st;
	FILE *f;
	int result;

	*r = (struct config_reader){ .file = file, .errors = errors, .warnings = warnings };
	snprintf(r->folder, sizeof r->folder, "%s", file);
	folder = dirname(r->folder); /* inside r->folder, or a constant */
	memmove(r->folder, folder, strlen(folder) + 1);
	f = fopen(file, "re");
	if (f == NULL || fstat(fileno(f), &st) < 0) {
		result = -errno;
		buf_printf(errors, "%s: cannot be read: %s\n", file, strerror(errno));
		if (f != NULL)
			fclose(f);
		return result;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_MAX_BYTES) {
		buf_printf(errors, "%s: not a file of at most %d bytes\n", file, CONFIG_MAX_BYTES);
		fclose(f);
		return -EINVAL;
	}
	result = load(r, f);
	fclose(f);
	return result;
}

void config_reader_done(struct config_reader *r)
{
	yaml_document_delete(&r->document);
}

yaml_node_t *config_root(struct config_reader *r)
{
	return yaml_document_get_root_node(&r->document);
}

const char *config_scalar(const yaml_node_t *node)
{
	return node == NULL || node->type != YAML_SCALAR_NODE ? NULL : (const char *)node->data.scalar.value;
}

/* A key that is written without a value, or with the null of YAML. */
static bool is_nothing(const yaml_node_t *node)
{
	const char *text = config_scalar(node);

	return text != NULL && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static const char *kind_of(const yaml_node_t *node)
{
	switch (node->type) {
	case YAML_SCALAR_NODE:
		return is_nothing(node) ? "nothing" : *config_scalar(node) == '\0' ? "an empty text" : "a single value";
	case YAML_SEQUENCE_NODE:
		return "a list";
	case YAML_MAPPING_NODE:
		return "a mapping";
	case YAML_NO_NODE:
		break;
	}
	return "nothing";
}

/* --- values -------------------------------------------------------------------------------------- */

static void set_scalar(
    struct config_reader *r, yaml_node_t *node, const char *path, const struct option *o, void *settings)
{
	const char *text = config_scalar(node);
	char expects[640], joined[8192];

	if (text == NULL || is_nothing(node)) {
		config_error(
		    r, node, path, "found %s, expected %s", kind_of(node), option_expects(o, expects, sizeof expects));
		return;
	}
	if (strlen(text) != node->data.scalar.length) {
		config_error(r, node, path, "found a NUL character");
		return;
	}
	if (o->kind == OPTION_PATH && *text != '/' && *text != '\0') {
		snprintf(joined, sizeof joined, "%s/%s", r->folder, text);
		text = joined;
	}
	if (option_set_text(o, settings, text, expects, sizeof expects) < 0)
		config_error(r, node, path, "found \"%.80s\", %s", (const char *)node->data.scalar.value, expects);
}

/* A list of texts or of words: item by item, so that each has its place. */
static void set_list(
    struct config_reader *r, yaml_node_t *node, const char *path, const struct option *o, void *settings)
{
	char *value = (char *)settings + o->offset;
	struct option_list *list = (struct option_list *)(void *)value;
	uint64_t set = 0;
	char expects[640];

	if ((o->flags & OPTION_REQUIRED) != 0 && node->type == YAML_SEQUENCE_NODE &&
	    node->data.sequence.items.start == node->data.sequence.items.top) {
		config_error(
		    r, node, path, "found an empty list, expected %s", option_expects(o, expects, sizeof expects));
		return;
	}
	if ((o->flags & OPTION_ONE_WILL_DO) != 0 && config_scalar(node) != NULL && *config_scalar(node) != '\0' &&
	    !is_nothing(node)) {
		option_list_clear(list);
		(void)option_list_add(list, config_scalar(node), strlen(config_scalar(node)));
		return;
	}
	if (node->type != YAML_SEQUENCE_NODE) {
		config_error(r, node, path, "found %s, expected %s, such as [a, b]", kind_of(node),
		    option_expects(o, expects, sizeof expects));
		return;
	}
	if (o->kind == OPTION_LIST)
		option_list_clear(list);
	for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
		yaml_node_t *item = yaml_document_get_node(&r->document, *i);
		const char *text = config_scalar(item);
		int word = o->kind == OPTION_WORDS ? vocab_find(o->words, text) : 0;

		if (text == NULL || word < 0)
			config_error(r, item, path, "found %s%.80s%s, expected %s", text == NULL ? "" : "\"",
			    text == NULL ? kind_of(item) : text, text == NULL ? "" : "\"",
			    option_expects(o, expects, sizeof expects));
		else if (o->kind == OPTION_WORDS)
			set |= UINT64_C(1) << word;
		else
			(void)option_list_add(list, text, strlen(text));
	}
	if (o->kind == OPTION_WORDS)
		*(uint64_t *)(void *)value = set;
}

/* --- mappings ------------------------------------------------------------------------------------ */

static const struct option *find_option(const struct config_table *tables, const char *key, void **ret_settings)
{
	for (; tables != NULL && tables->options != NULL; tables++) {
		for (const struct option *o = tables->options; o->name != NULL; o++) {
			if (strcmp(o->name, key) == 0) {
				*ret_settings = tables->settings;
				return o;
			}
		}
	}
	return NULL;
}

static const struct config_part *find_part(const struct config_part *parts, const char *key)
{
	for (; parts != NULL && parts->key != NULL; parts++)
		if (strcmp(parts->key, key) == 0)
			return parts;
	return NULL;
}

static void unknown_key(struct config_reader *r, const yaml_node_t *key, const char *path,
    const struct config_table *tables, const struct config_part *parts)
{
	struct buf names;

	buf_init(&names, 4096);
	for (; parts != NULL && parts->key != NULL; parts++)
		buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", parts->key);
	for (; tables != NULL && tables->options != NULL; tables++)
		for (const struct option *o = tables->options; o->name != NULL; o++)
			buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", o->name);
	config_error(r, key, path, "unknown key, expected one of %s", buf_text(&names));
	buf_done(&names);
}

static bool seen_before(struct config_reader *r, yaml_node_t *map, const yaml_node_pair_t *pair, const char *name)
{
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
		const char *other = config_scalar(yaml_document_get_node(&r->document, p->key));

		if (other != NULL && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

static void read_pair(struct config_reader *r, const yaml_node_t *key, yaml_node_t *value, const char *path,
    const struct config_table *tables, const struct config_part *parts)
{
	const char *name = config_scalar(key);
	const struct config_part *part = find_part(parts, name);
	void *settings = NULL;
	const struct option *o = find_option(tables, name, &settings);

	if (part != NULL)
		part->read(r, value, path, part->arg);
	else if (o == NULL)
		unknown_key(r, key, path, tables, parts);
	else if (o->kind == OPTION_LIST || o->kind == OPTION_WORDS)
		set_list(r, value, path, o, settings);
	else
		set_scalar(r, value, path, o, settings);
}

void config_read_map(struct config_reader *r, yaml_node_t *node, const char *path, const struct config_table *tables,
    const struct config_part *parts)
{
	if (node->type != YAML_MAPPING_NODE) {
		config_error(r, node, path, "found %s, expected a mapping, such as {key: value}", kind_of(node));
		return;
	}
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
		yaml_node_t *key = yaml_document_get_node(&r->document, p->key);
		const char *name = config_scalar(key);
		char inner[512];

		if (name == NULL) {
			config_error(r, key, path, "found %s as a key, expected a word", kind_of(key));
			continue;
		}
		snprintf(inner, sizeof inner, "%s%s%.120s", path, *path == '\0' ? "" : ".", name);
		if (seen_before(r, node, p, name))
			config_error(r, key, inner, "the key stands here for the second time");
		else
			read_pair(r, key, yaml_document_get_node(&r->document, p->value), inner, tables, parts);
	}
}

bool config_read_list(struct config_reader *r, yaml_node_t *node, const char *path,
    void (*each)(struct config_reader *r, yaml_node_t *item, const char *path, void *arg), void *arg)
{
	size_t n = 0;

	if (node->type != YAML_SEQUENCE_NODE) {
		config_error(r, node, path, "found %s, expected a list", kind_of(node));
		return false;
	}
	for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++, n++) {
		char inner[512];

		snprintf(inner, sizeof inner, "%s[%zu]", path, n);
		each(r, yaml_document_get_node(&r->document, *i), inner, arg);
	}
	return true;
}

yaml_node_t *config_child(struct config_reader *r, yaml_node_t *map, const char *key)
{
	if (map == NULL || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const char *name = config_scalar(yaml_document_get_node(&r->document, p->key));

		if (name != NULL && strcmp(name, key) == 0)
			return yaml_document_get_node(&r->document, p->value);
	}
	return NULL;
}
