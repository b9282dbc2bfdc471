/* raw_state.h: all that one source last said about one address in one domain. Immutable, counted references.
 * SPDX-License-Identifier: MIT
 *
 * A parser fills `struct raw_facts` with borrowed pointers; raw_state_new() copies it into one block. A newer
 * raw state replaces the older one whole. A fact that is absent is not known; "known to be none" is a value
 * (see each).
 */
#ifndef PRESENCED_RAW_STATE_H
#define PRESENCED_RAW_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/utf8.h"
#include "daemon/model/vocab.h"

#define RAW_MAX_CALLS	   16	/* of one line; a switch offers fewer */
#define RAW_MAX_NOTE_BYTES 1024 /* what a console can show; parsers cut at a character */
#define RAW_MAX_TEXT_BYTES 256	/* numbers, names, reasons */

struct raw_call {
	int8_t state;	  /* enum call_state */
	int8_t direction; /* enum direction; -1 not known */
	const char *peer; /* number as the source wrote it; NULL not known or withheld */
	const char *name; /* NULL not known */
	int64_t since;	  /* wall ms; 0 not known */
};

/* Which facts are known. */
enum {
	RAW_AVAILABILITY = 1u << 0,
	RAW_ACTIVITY = 1u << 1,
	RAW_NOTE = 1u << 2,
	RAW_IDLE_SINCE = 1u << 3,
	RAW_LINE = 1u << 4,
	RAW_DND = 1u << 5,
	RAW_FORWARD = 1u << 6,
	RAW_CALLS = 1u << 7,
	RAW_RICH_FACTS = RAW_AVAILABILITY | RAW_ACTIVITY | RAW_NOTE | RAW_IDLE_SINCE,
	RAW_TELEPHONY_FACTS = RAW_LINE | RAW_DND | RAW_FORWARD | RAW_CALLS,
};

struct raw_facts {
	uint16_t known;	     /* RAW_* */
	int8_t domain;	     /* enum domain */
	int8_t status;	     /* enum state_status; facts count with OK only */
	int8_t availability; /* enum availability */
	int8_t activity;     /* enum activity; -1 known to be none */
	int8_t line;	     /* enum line */
	bool dnd;
	bool forwarded;		    /* false: known to be none */
	int8_t forward_kind;	    /* enum forward_kind; -1 not said */
	uint8_t call_count;	    /* at most RAW_MAX_CALLS; 0 with RAW_CALLS: known to be none */
	const char *note;	    /* NULL known to be none; UTF-8 */
	int64_t idle_since;	    /* wall ms; 0 known to be none */
	const char *forward_target; /* NULL not known */
	const struct raw_call *calls;
	const char *why;     /* a sentence when status is not OK; may be NULL */
	int64_t at;	     /* wall ms when it arrived; 0 not said */
	int64_t observed_at; /* wall ms when the source says it became so; 0 not said */
	int64_t valid_until; /* wall ms; 0 without end */
	uint32_t epoch, rev; /* connection of the source, count within it; 0,0 not said */
};

struct raw_state {
	unsigned refs;
	struct raw_facts facts; /* its pointers point into this block */
};

/* A new raw state with one reference, everything copied. NULL without memory. */
const struct raw_state *raw_state_new(const struct raw_facts *facts);

/* Count another reference / give one back. NULL is fine in both; _unref returns NULL. */
const struct raw_state *raw_state_ref(const struct raw_state *state);
const struct raw_state *raw_state_unref(const struct raw_state *state);

/* The same status and the same facts; times, epoch and rev do not count. Both may be NULL. */
bool raw_state_same_facts(const struct raw_state *a, const struct raw_state *b);

/* The same of the facts in `which` (RAW_*): known in both or in neither, and equal. */
bool raw_facts_same(const struct raw_facts *a, const struct raw_facts *b, unsigned which);

/* NULL, or what is wrong (out of a vocabulary, text too long or not UTF-8, a fact of the other domain, ...). */
const char *raw_facts_check(const struct raw_facts *facts);

/* Whether a source may say this status; the others are the aggregator's own. */
bool raw_status_may_be_said(int status);

#endif
