/* table.h: rows for people: columns as wide as their text, cut to the terminal, colour only there.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TABLE_H
#define PRESENCED_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 8

struct table {
	size_t column_count, shown; /* columns there are, and the first of them that are printed */
	char **cells;		    /* owned, row by row; the first row is the header */
	size_t row_count, row_size;
};

/* A table with `count` titles. */
void table_init(struct table *t, size_t count, const char *const *titles);
void table_done(struct table *t);

/* Add a row; texts are copied, NULL is "". */
void table_row(struct table *t, const char *const *cells);

/* Do not show the last column if nothing stands in it. */
void table_hide_empty(struct table *t);

/* Print it; the last column is cut to what the terminal leaves. */
void table_print(const struct table *t);

/* Whether to colour: a terminal, and NO_COLOR is not set (no-color.org). */
bool table_is_colourful(void);

/* The escape sequence for a word of the vocabularies (busy red, available green, ...), "" where there is none
 * or no colour; and the one that ends it. */
const char *table_colour(const char *word);
const char *table_plain(void);

#endif
