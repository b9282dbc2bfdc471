/* xml.h: an XML document as a tree, by expat, with limits. Pure: bytes in, tree or a sentence out.
 * SPDX-License-Identifier: MIT
 *
 * Names are matched by (namespace, local name), never by prefix. Document type declarations are refused, and
 * with them entities of one's own. Nothing here or in a reader of trees recurses on the depth of the input.
 */
#ifndef PRESENCED_XML_H
#define PRESENCED_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/model/raw_json.h"

#define XML_MAX_BYTES 65536 /* of a document */
#define XML_MAX_DEPTH 32
#define XML_MAX_TREE  (4 * 1024 * 1024) /* bytes of a tree: namespaces are written out at every attribute */

struct xml_node {
	const char *ns;		 /* "" for none */
	const char *name;	 /* local */
	const char *text;	 /* its own, without that of its children, blanks around removed; "" for none */
	const char **attributes; /* name, value, ..., NULL; names with a namespace are "NAMESPACE\nNAME" */
	struct xml_node *parent, *first, *last, *next;
	unsigned line, column; /* where its tag begins, from 1 */
};

/* A parser with the memory of its last tree. Not shared by threads. */
struct xml_reader;
struct xml_reader *xml_reader_new(void); /* NULL without memory */
void xml_reader_free(struct xml_reader *x);

/* The root of a document, valid until the next xml_read(); *ret NULL and 0 for no bytes, or blanks only. -EINVAL
 * with a sentence and the position in *error; -ENOMEM. */
int xml_read(
    struct xml_reader *x, const char *data, size_t len, const struct xml_node **ret, struct parse_error *error);

/* Memory that lives as long as the tree. NULL without memory. */
void *xml_alloc(struct xml_reader *x, size_t size);

/* A copy of a text for people: control characters become blanks, cut to `max` bytes at a character; in the memory
 * of the tree. NULL without memory. */
const char *xml_clean(struct xml_reader *x, const char *text, size_t max);

/* The value of an attribute without namespace, or NULL. */
const char *xml_attribute(const struct xml_node *node, const char *name);

bool xml_is(const struct xml_node *node, const char *ns, const char *name);

/* The first child called so / the next sibling called so, or NULL. */
const struct xml_node *xml_child(const struct xml_node *node, const char *ns, const char *name);
const struct xml_node *xml_sibling(const struct xml_node *node, const char *ns, const char *name);

/* Whether a Content-Type, parameters aside, is one of `types` (ended by NULL). */
bool xml_type_is(const char *content_type, const char *const *types);

/* "what, line 3, column 7" into *error. Returns -EINVAL. */
int xml_fail(const struct xml_node *node, struct parse_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
