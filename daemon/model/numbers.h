/* numbers.h: whether two written telephone numbers or names mean the same (presenced rules, section 5).
 * SPDX-License-Identifier: MIT
 *
 * Connectors hand over the text they got; only the core compares. Pure; never by trailing digits.
 */
#ifndef PRESENCED_NUMBERS_H
#define PRESENCED_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

struct numbers_did {
	char *prefix; /* "+4420708468" */
	int keep;     /* how many of the last digits are the extension */
};

struct numbers_config {
	char *country;	     /* "44"; NULL: national numbers are left as they are */
	char *international; /* "00"; NULL: none */
	char *national;	     /* "0"; NULL: none */
	char **outside;	     /* prefixes dialled to leave the house */
	size_t outside_count;
	int extension_digits; /* longest extension */
	struct numbers_did *dids;
	size_t did_count;
};

#define NUMBER_MAX_BYTES 128 /* longer text equals nothing but itself */

/* A number in normal form. */
struct number {
	bool is_name;		     /* letters before '@': compared without case */
	char text[NUMBER_MAX_BYTES]; /* digits with '+', '*' and '#', or the name */
	char host[NUMBER_MAX_BYTES]; /* of a name; "" if it had none */
};

/* Normalise `text` (steps 1 to 5). False if it is longer than a number may be; *ret is then an empty name. */
bool number_normalise(const struct numbers_config *config, const char *text, struct number *ret);

/* Whether two normal forms mean the same (step 6). Empty ones equal nothing. */
bool number_equal(const struct numbers_config *config, const struct number *a, const struct number *b);

#endif
