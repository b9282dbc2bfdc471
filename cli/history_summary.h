/* history_summary.h: rows of history -> how long each word was observed, and how long nothing was and why. Pure.
 * SPDX-License-Identifier: MIT
 *
 * A word counts only while somebody vouched for it: a half while its status is ok, overall while one of them is, and none is stale.
 * Everything else of the time is not observed, for one reason; words and reasons together are the whole time.
 */
#ifndef PRESENCED_HISTORY_SUMMARY_H
#define PRESENCED_HISTORY_SUMMARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/buf.h"
#include "daemon/model/vocab.h"

#define SUMMARY_FIELD_MAP(X) \
	X(OVERALL, "overall", "the overall word") \
	X(LINE, "line", "what the phone line did") \
	X(AVAILABILITY, "availability", "what the person said")
enum summary_field {
#define X(symbol, name, help) SUMMARY_##symbol,
	SUMMARY_FIELD_MAP(X)
#undef X
	    SUMMARY_FIELD_COUNT
};

/* Why nothing was observed: a status other than ok, or one of these, which follow them. */
#define SUMMARY_REASON_MAP(X) \
	X(NOT_RECORDED, "nothing recorded yet", "before the first row of the user") \
	X(NOT_SAID, "not said", "a source answers, and has no word of this kind") \
	X(NOT_RUNNING, "daemon not running", "between its last sign of life and its start") \
	X(SINCE_START, "nothing since the start", "the daemon runs, and has not heard of the user again") \
	X(LOST_ROWS, "lost rows", "more happened than could be written") \
	X(REMOVED, "user removed", "there was no such user") \
	X(NOT_UNDERSTOOD, "not understood", "a word that this program does not know")
enum summary_reason {
	SUMMARY_REASON_FIRST = STATE_STATUS_COUNT - 1,
#define X(symbol, name, help) SUMMARY_REASON_##symbol,
	SUMMARY_REASON_MAP(X)
#undef X
	    SUMMARY_REASON_COUNT
};
#define SUMMARY_WORDS OVERALL_COUNT /* the longest of the three vocabularies */

struct history_summary {
	int64_t from, to; /* wall ms; nothing after `to` is counted */
	int64_t at;	  /* all before this is counted */
	struct summary_word {
		bool observed;
		int index; /* of a word, or of a reason */
	} open[SUMMARY_FIELD_COUNT];
	int64_t observed[SUMMARY_FIELD_COUNT][SUMMARY_WORDS]; /* ms */
	int64_t unobserved[SUMMARY_FIELD_COUNT][SUMMARY_REASON_COUNT];
};

/* From `from` to `to`, but not beyond `now` (wall ms): nobody has seen the future. */
void history_summary_init(struct history_summary *s, int64_t from, int64_t to, int64_t now);

/* Rows in their order, as history.list has them; first the one that was in force at `from`, if there is one. A kind that
 * is not known changes nothing. */
void history_summary_row(struct history_summary *s, const json_t *row);

/* The last row was given: what is open goes on to the end. */
void history_summary_end(struct history_summary *s);

/* {"from":T,"to":T,"overall":{WORD:MS},"line":..,"availability":..,"unobserved":{FIELD:MS},"reasons":{FIELD:{REASON:MS}}},
 * owned by the caller. `to` is where counting ended. */
json_t *history_summary_json(const struct history_summary *s);

/* A line a field: "line          busy 1h5m, idle 7h; not observed 12m (stale 12m)". */
void history_summary_write(const struct history_summary *s, struct buf *b);

#endif
