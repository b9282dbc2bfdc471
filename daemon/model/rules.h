/* rules.h: the raw states of one user -> one composed presence. Pure: no clock, no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 *
 * Which state is usable at which time is freshness (aggregator.h); the rules see an effective status.
 */
#ifndef PRESENCED_RULES_H
#define PRESENCED_RULES_H

#include "daemon/model/numbers.h"
#include "daemon/model/presence.h"

struct rules {
	char *rich_winning;		      /* name or technology that wins a conflict */
	char **rich_order, **telephony_order; /* names or technologies; what is not listed comes after */
	size_t rich_order_count, telephony_order_count;
	char **voicemail_pilots;
	size_t voicemail_pilot_count;
	bool on_the_phone_is_dnd, in_a_meeting_is_dnd;
	struct numbers_config numbers;
};

/* One state as the rules see it. */
struct rules_state {
	const struct source_id *source;
	const struct raw_state *raw; /* NULL: nothing said yet */
	int8_t status;		     /* enum state_status, effective; OK and STALE are usable */
	const char *why;	     /* for the trace: why it is not OK; may be NULL */
};

struct rules_half {
	const struct rules_state *states; /* any order */
	size_t count;
	int8_t without; /* enum state_status of the half when count is 0 */
};

struct rules_input {
	const char *voicemail; /* the user's own voicemail number; NULL or "" none */
	struct rules_half halves[DOMAIN_COUNT];
};

/* Who decided what, who lost, and why: rows in the order of the decisions. */
enum rules_verdict { RULES_DECIDED, RULES_LOST, RULES_NOT_USABLE, RULES_DOES_NOT_KNOW, RULES_VERDICT_COUNT };
extern const struct vocab vocab_rules_verdict; /* "decided", "lost", "not_usable", "does_not_know" */
struct rules_trace_row {
	const char *about;		/* "line", "dnd", "forward", "mode", "rich", "overall" */
	const struct source_id *source; /* NULL: a rule, not a source */
	enum rules_verdict verdict;
	const char *why; /* a sentence */
};
struct rules_trace {
	void (*row)(void *arg, const struct rules_trace_row *row); /* the row is borrowed for the call */
	void *arg;
};

/* Set both ranks of each source from `winning`, the order lists and `position`. An entry that is the source's
 * name ranks before one that is its technology. */
void rules_rank(const struct rules *rules, struct source_id *const *sources, size_t count);

/* Compose. *ret borrows the raw states of `in`; `since` is left 0. `trace` may be NULL. */
void rules_compose(
    const struct rules *rules, const struct rules_input *in, struct presence *ret, const struct rules_trace *trace);

#endif
