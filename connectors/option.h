/* option.h: one table says everything of an option; configuration, help, comparison and printing are loops
 * over it. SPDX-License-Identifier: MIT
 *
 * A section or a connector keeps its settings in a plain struct; a row says where in it a value stands.
 */
#ifndef PRESENCED_OPTION_H
#define PRESENCED_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/model/vocab.h"

enum option_kind {
	OPTION_TEXT,	 /* char *, owned; NULL where not given and without default */
	OPTION_PATH,	 /* char *, owned; relative ones are taken from the folder of the configuration file */
	OPTION_BOOL,	 /* bool */
	OPTION_INT,	 /* int64_t, within min and max */
	OPTION_DURATION, /* int64_t, milliseconds, within min and max; written with a unit: 15s */
	OPTION_RATE,	 /* int64_t, per second, within min and max; written 10/s */
	OPTION_MODE,	 /* int64_t, file mode; written "0660" */
	OPTION_WORD,	 /* int64_t, a value of the vocabulary in `words` */
	OPTION_WORDS,	 /* uint64_t, a set: bit i for value i of `words` */
	OPTION_LIST,	 /* struct option_list: texts */
};

struct option_list {
	char **items; /* owned */
	size_t count;
};

struct option {
	const char *name; /* NULL ends the table */
	enum option_kind kind;
	size_t offset;		   /* of the value in the settings struct */
	const char *fallback;	   /* default, as it would be written in YAML ("[a, b]" for a list); NULL none */
	int64_t min, max;	   /* INT, DURATION (ms), RATE; both 0: any that is not negative */
	const struct vocab *words; /* WORD, WORDS */
	unsigned flags;
	const char *help; /* a sentence; man page and `presencectl help` print it */
};

enum {
	OPTION_REQUIRED = 1u << 0,     /* without it a source is not_configured; elsewhere an error */
	OPTION_SECRET = 1u << 1,       /* never printed */
	OPTION_ONE_WILL_DO = 1u << 2,  /* LIST: a single text is a list of one */
	OPTION_MAY_BE_EMPTY = 1u << 3, /* TEXT: "" means something */
};

/* Who is told of options whose values are wrong. */
struct option_critic {
	void (*wrong)(void *arg, const char *option, const char *why);
	void *arg;
};

/* Tell of one; `format` is a sentence without the name of the option. */
void option_wrong(const struct option_critic *critic, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Set every value of `settings` (zeroed by the caller) to its default. 0 or -ENOMEM. */
int options_set_defaults(const struct option *table, void *settings);

/* Set one value from text in the notation of YAML scalars. 0; -EINVAL and "expected ..." in err; -ENOMEM. */
int option_set_text(const struct option *option, void *settings, const char *text, char *err, size_t err_size);

/* Empty a list / add one text to it. 0 or -ENOMEM. */
void option_list_clear(struct option_list *list);
int option_list_add(struct option_list *list, const char *text, size_t len);

/* Free what the values own and set them to zero. */
void options_done(const struct option *table, void *settings);

/* Whether all values are equal. */
int options_equal(const struct option *table, const void *a, const void *b);

/* The first required option without a value, or NULL. */
const struct option *options_missing(const struct option *table, const void *settings);

/* The value as text, "***" for a secret that is set, "" where not given; into buf. Returns buf. */
const char *option_text(const struct option *option, const void *settings, char *buf, size_t size);

/* "duration", "one of a, b or c": what an option takes, for errors and help; into buf. Returns buf. */
const char *option_expects(const struct option *option, char *buf, size_t size);

#endif
