/* config_yaml.h: a YAML document by tables of options; every error with its place.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CONFIG_YAML_H
#define PRESENCED_CONFIG_YAML_H

#include <stdbool.h>
#include <yaml.h>

#include "connectors/option.h"
#include "daemon/base/buf.h"

#define CONFIG_MAX_BYTES  (1024 * 1024)
#define CONFIG_MAX_ERRORS 50 /* then "and more" */

struct config_reader {
	const char *file;
	yaml_document_t document;
	struct buf *errors, *warnings; /* borrowed; warnings may be NULL */
	int error_count;
	char folder[4096]; /* of the file: relative paths start there */
};

/* A key that is not one option: its own reader. */
struct config_part {
	const char *key; /* NULL ends the table */
	void (*read)(struct config_reader *r, yaml_node_t *node, const char *path, void *arg);
	void *arg;
};

/* Load `file` into r->document (free with config_reader_done). 0; -errno, a sentence is in errors. An empty
 * file is an empty mapping. */
int config_reader_open(struct config_reader *r, const char *file, struct buf *errors, struct buf *warnings);
void config_reader_done(struct config_reader *r);
yaml_node_t *config_root(struct config_reader *r); /* NULL: empty */

/* "FILE:LINE:COLUMN: PATH: message". */
void config_error(struct config_reader *r, const yaml_node_t *node, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void config_warning(struct config_reader *r, const yaml_node_t *node, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Read a mapping: each key is an option of one of `tables` (ended by table NULL) or a part; others are
 * errors. */
struct config_table {
	const struct option *options;
	void *settings;
};
void config_read_map(struct config_reader *r, yaml_node_t *node, const char *path, const struct config_table *tables,
    const struct config_part *parts);

/* Call `each` for the items of a sequence, path "console[0]". False (and an error) if it is none. */
bool config_read_list(struct config_reader *r, yaml_node_t *node, const char *path,
    void (*each)(struct config_reader *r, yaml_node_t *item, const char *path, void *arg), void *arg);

/* The value of `key` in a mapping, or NULL; quietly. The text of a scalar, or NULL. */
yaml_node_t *config_child(struct config_reader *r, yaml_node_t *map, const char *key);
const char *config_scalar(const yaml_node_t *node);

#endif
