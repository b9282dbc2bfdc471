/* presence.h: one composed presence, the aggregator's answer for a user.
 * SPDX-License-Identifier: MIT
 *
 * It holds no text of its own: facts are read from the raw states that decided. The rules fill it with
 * borrowed pointers; whoever keeps one beyond the call takes references (presence_ref, presence_unref).
 */
#ifndef PRESENCED_PRESENCE_H
#define PRESENCED_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/buf.h"
#include "daemon/model/raw_state.h"

/* Who a source is, for rules and for people. Lives as long as anything that may name it. */
struct source_id {
	char *name;
	int8_t technology; /* enum technology */
	int position;	   /* in the order of `sources` */
	int rich_rank;	   /* set by rules_rank(); lower wins */
	int telephony_rank;
};

struct presence_rich {
	int8_t status;			/* enum state_status */
	int8_t availability;		/* enum availability; -1 not known */
	const struct raw_state *winner; /* gives activity, note, idle_since; NULL: none competes */
	const struct source_id *source; /* the winner's */
	int64_t since;			/* wall ms when status, availability and activity took this value */
};

struct presence_telephony {
	int8_t status;	     /* enum state_status */
	int8_t mode;	     /* enum mode; -1 absent */
	int8_t forward_kind; /* enum forward_kind, pilots and own voicemail number resolved; -1 no forward */
	const struct raw_state *line, *dnd, *forward; /* the state that gave each fact; NULL: nobody knows it */
	const struct source_id *source;		      /* of the state that decided the mode, or gave the line */
	int64_t since;				      /* wall ms when status, mode and line took this value */
};

struct presence {
	int8_t overall; /* enum overall */
	struct presence_rich rich;
	struct presence_telephony telephony;
};

/* Take, or give back, references on all raw states in it. */
void presence_ref(const struct presence *p);
void presence_unref(const struct presence *p);

/* Whether two presences would be published alike but for `since`. */
bool presence_equal(const struct presence *a, const struct presence *b);
bool presence_rich_same_value(const struct presence_rich *a, const struct presence_rich *b);
bool presence_telephony_same_value(const struct presence_telephony *a, const struct presence_telephony *b);

/* Write "overall", "rich" and "telephony" as members of an object that the caller has opened
 * (presenced-protocol(7)). `calls`: also telephony.calls and forward.target (permission `calls`). A `since`
 * of 0 is left out. */
void presence_write(struct buf *b, const struct presence *p, bool calls);

#endif
