/* xml.c: expat's events into a tree that lies in an arena.
 * SPDX-License-Identifier: MIT */
#include "connectors/xml.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <expat.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/base/utf8.h"

#define ARENA_CHUNK    4096
#define NAME_SEPARATOR '\n' /* cannot stand in a name; normal in a namespace only as a character reference */

struct chunk {
	SLIST_ENTRY(chunk) link;
	size_t used, size;
	char data[];
};

/* A run of text as expat hands it over; joined when its element ends, so each byte is copied once. */
struct piece {
	STAILQ_ENTRY(piece) link;
	size_t len;
	char data[];
};

struct xml_reader {
	XML_Parser parser;
	SLIST_HEAD(, chunk) chunks;
	size_t size;					  /* of all chunks */
	STAILQ_HEAD(pieces, piece) pieces[XML_MAX_DEPTH]; /* of the open element of each depth */
	struct xml_node *root, *open;
	size_t depth;
	bool no_memory, too_big;
	const char *refused; /* why our own handlers stopped */
};

/* --- memory ---------------------------------------------------------------------------------------- */

void *xml_alloc(struct xml_reader *x, size_t size)
{
	struct chunk *c = SLIST_FIRST(&x->chunks);
	size_t need = (size + 15) & ~(size_t)15, room;
	void *p;

	if (need < size)
		return NULL;
	if (c == NULL || c->size - c->used < need) {
		room = need > ARENA_CHUNK ? need : ARENA_CHUNK;
		x->too_big = x->too_big || room > XML_MAX_TREE - x->size;
		c = x->too_big ? NULL : malloc(sizeof *c + room);
		if (c == NULL)
			return NULL;
		c->used = 0;
		c->size = room;
		x->size += room;
		SLIST_INSERT_HEAD(&x->chunks, c, link);
	}
	p = c->data + c->used;
	c->used += need;
	return p;
}

/* Keep one chunk for the next document. */
static void empty(struct xml_reader *x)
{
	struct chunk *c;

	while ((c = SLIST_FIRST(&x->chunks)) != NULL && SLIST_NEXT(c, link) != NULL) {
		SLIST_REMOVE_HEAD(&x->chunks, link);
		free(c);
	}
	if (c != NULL)
		c->used = 0;
	x->size = c == NULL ? 0 : c->size;
	for (size_t i = 0; i < XML_MAX_DEPTH; i++)
		STAILQ_INIT(&x->pieces[i]);
	x->root = x->open = NULL;
	x->depth = 0;
	x->no_memory = x->too_big = false;
	x->refused = NULL;
}

/* Memory for the tree; without it the parser stops soon. */
static void *alloc(struct xml_reader *x, size_t size)
{
	void *p = xml_alloc(x, size);

	if (p == NULL) {
		x->no_memory = true;
		XML_StopParser(x->parser, XML_FALSE);
	}
	return p;
}

static const char *copy(struct xml_reader *x, const char *text, size_t len)
{
	char *p = alloc(x, len + 1);

	if (p == NULL)
		return "";
	memcpy(p, text, len);
	p[len] = '\0';
	return p;
}

/* Most elements are in the namespace of their parent. */
static const char *copy_namespace(struct xml_reader *x, const char *ns, size_t len)
{
	const char *above = x->open == NULL ? "" : x->open->ns;

	return strlen(above) == len && memcmp(above, ns, len) == 0 ? above : copy(x, ns, len);
}

/* --- expat's events -------------------------------------------------------------------------------- */

static void stop(struct xml_reader *x, const char *why)
{
	x->refused = why;
	XML_StopParser(x->parser, XML_FALSE);
}

static const char **copy_attributes(struct xml_reader *x, const char **attributes)
{
	const char **copies;
	size_t n = 0;

	while (attributes[n] != NULL)
		n++;
	copies = alloc(x, (n + 1) * sizeof *copies);
	if (copies == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		copies[i] = copy(x, attributes[i], strlen(attributes[i]));
	copies[n] = NULL;
	return copies;
}

static void append(struct xml_reader *x, struct xml_node *node)
{
	node->parent = x->open;
	if (x->open == NULL)
		x->root = node;
	else if (x->open->last == NULL)
		x->open->first = node;
	else
		x->open->last->next = node;
	if (x->open != NULL)
		x->open->last = node;
	x->open = node;
}

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct xml_reader *x = arg;
	const char *local = strrchr(name, NAME_SEPARATOR);
	struct xml_node *node;

	if (x->depth == XML_MAX_DEPTH) {
		stop(x, "elements are nested too deep (at most 32 levels)");
		return;
	}
	node = alloc(x, sizeof *node);
	if (node == NULL)
		return;
	*node = (struct xml_node){ .text = "",
		.ns = local == NULL ? "" : copy_namespace(x, name, (size_t)(local - name)),
		.name = copy(x, local == NULL ? name : local + 1, strlen(local == NULL ? name : local + 1)),
		.attributes = copy_attributes(x, attributes),
		.line = (unsigned)XML_GetCurrentLineNumber(x->parser),
		.column = (unsigned)XML_GetCurrentColumnNumber(x->parser) + 1 };
	append(x, node);
	x->depth++;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(char **text, size_t *len)
{
	while (*len > 0 && is_blank(**text)) {
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && is_blank((*text)[*len - 1]))
		(*len)--;
	(*text)[*len] = '\0';
}

static void join(struct xml_reader *x, struct xml_node *node, struct pieces *pieces)
{
	size_t len = 0;
	struct piece *p;
	char *text, *at;

	STAILQ_FOREACH (p, pieces, link)
		len += p->len;
	if (len == 0)
		return;
	text = at = alloc(x, len + 1);
	if (text == NULL)
		return;
	STAILQ_FOREACH (p, pieces, link) {
		memcpy(at, p->data, p->len);
		at += p->len;
	}
	trim(&text, &len);
	node->text = text;
	STAILQ_INIT(pieces);
}

static void on_end(void *arg, const char *name)
{
	struct xml_reader *x = arg;

	(void)name;
	if (x->open == NULL)
		return;
	x->depth--;
	join(x, x->open, &x->pieces[x->depth]);
	x->open = x->open->parent;
}

static void on_text(void *arg, const char *text, int len)
{
	struct xml_reader *x = arg;
	struct piece *p = alloc(x, sizeof *p + (size_t)len);

	if (p == NULL || x->depth == 0)
		return;
	p->len = (size_t)len;
	memcpy(p->data, text, (size_t)len);
	STAILQ_INSERT_TAIL(&x->pieces[x->depth - 1], p, link);
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(arg, "a document type declaration is not accepted");
}

/* --- reading --------------------------------------------------------------------------------------- */

struct xml_reader *xml_reader_new(void)
{
	struct xml_reader *x = calloc(1, sizeof *x);

	if (x == NULL)
		return NULL;
	SLIST_INIT(&x->chunks);
	x->parser = XML_ParserCreateNS(NULL, NAME_SEPARATOR);
	if (x->parser == NULL) {
		free(x);
		return NULL;
	}
	return x;
}

void xml_reader_free(struct xml_reader *x)
{
	struct chunk *c;

	if (x == NULL)
		return;
	while ((c = SLIST_FIRST(&x->chunks)) != NULL) {
		SLIST_REMOVE_HEAD(&x->chunks, link);
		free(c);
	}
	XML_ParserFree(x->parser);
	free(x);
}

static bool only_blanks(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_blank(data[i]))
			return false;
	return true;
}

/* A reset parser has lost its handlers. Reparse deferral does not matter here: documents come whole. */
static void prepare(struct xml_reader *x)
{
	XML_ParserReset(x->parser, NULL);
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, on_start, on_end);
	XML_SetCharacterDataHandler(x->parser, on_text);
	XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
}

static int refuse(struct xml_reader *x, struct parse_error *error)
{
	bool no_memory = !x->too_big && (x->no_memory || XML_GetErrorCode(x->parser) == XML_ERROR_NO_MEMORY);

	snprintf(error->text, sizeof error->text, "%s, line %lu, column %lu",
	    x->too_big		   ? "the document is too big when its namespaces are written out" :
		no_memory	   ? "no memory" :
		x->refused != NULL ? x->refused :
				     XML_ErrorString(XML_GetErrorCode(x->parser)),
	    (unsigned long)XML_GetCurrentLineNumber(x->parser),
	    (unsigned long)XML_GetCurrentColumnNumber(x->parser) + 1);
	return no_memory ? -ENOMEM : -EINVAL;
}

int xml_read(struct xml_reader *x, const char *data, size_t len, const struct xml_node **ret, struct parse_error *error)
{
	*ret = NULL;
	empty(x);
	if (len > XML_MAX_BYTES) {
		snprintf(error->text, sizeof error->text, "the document has %zu bytes, at most %d are accepted", len,
		    XML_MAX_BYTES);
		return -EINVAL;
	}
	if (only_blanks(data, len))
		return 0;
	prepare(x);
	if (XML_Parse(x->parser, data, (int)len, XML_TRUE) == XML_STATUS_ERROR || x->no_memory)
		return refuse(x, error);
	*ret = x->root;
	return 0;
}

/* --- trees ----------------------------------------------------------------------------------------- */

const char *xml_attribute(const struct xml_node *node, const char *name)
{
	for (const char **a = node->attributes; *a != NULL; a += 2)
		if (strcmp(*a, name) == 0)
			return a[1];
	return NULL;
}

bool xml_is(const struct xml_node *node, const char *ns, const char *name)
{
	return strcmp(node->name, name) == 0 && strcmp(node->ns, ns) == 0;
}

static const struct xml_node *from(const struct xml_node *node, const char *ns, const char *name)
{
	while (node != NULL && !xml_is(node, ns, name))
		node = node->next;
	return node;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *ns, const char *name)
{
	return node == NULL ? NULL : from(node->first, ns, name);
}

const struct xml_node *xml_sibling(const struct xml_node *node, const char *ns, const char *name)
{
	return from(node->next, ns, name);
}

/* Whether a control character begins at `c`, and its length in bytes. */
static bool is_control(const char *c, size_t *ret_len)
{
	const unsigned char *u = (const unsigned char *)c;

	*ret_len = u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f ? 2 : 1; /* U+0080 to U+009F */
	return *ret_len == 2 || u[0] < ' ' || u[0] == 0x7f;
}

const char *xml_clean(struct xml_reader *x, const char *text, size_t max)
{
	char *p = xml_alloc(x, strlen(text) + 1), *to = p;
	size_t len;

	if (p == NULL)
		return NULL;
	for (const char *from_text = text; *from_text != '\0'; from_text += len)
		*to++ = is_control(from_text, &len) ? ' ' : *from_text;
	p[utf8_cut(p, (size_t)(to - p), max)] = '\0';
	return p;
}

bool xml_type_is(const char *content_type, const char *const *types)
{
	size_t len = strcspn(content_type, "; \t");

	for (; *types != NULL; types++)
		if (strlen(*types) == len && strncasecmp(content_type, *types, len) == 0)
			return true;
	return false;
}

int xml_fail(const struct xml_node *node, struct parse_error *error, const char *format, ...)
{
	char what[sizeof error->text - 40];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	utf8_repair(what); /* it may quote half a character */
	snprintf(error->text, sizeof error->text, "%s, line %u, column %u", what, node->line, node->column);
	return -EINVAL;
}
