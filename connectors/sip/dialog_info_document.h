/* dialog_info_document.h: what dialog-info documents (RFC 4235) say of a telephone line. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_DIALOG_INFO_DOCUMENT_H
#define PRESENCED_DIALOG_INFO_DOCUMENT_H

#include "connectors/xml.h"
#include "daemon/model/raw_state.h"

#define DIALOGS_MAX 64 /* of one line */

struct line_dialog;

/* What the documents of one subscription have said so far. All zero at its beginning. */
struct line_dialogs {
	struct line_dialog *list; /* owned, `count` of them; NULL while there is no dialog */
	uint8_t count;
	bool versioned; /* `version` is that of the last document */
	bool whole;	/* a full document has come */
	uint32_t version;
};

enum dialog_info_result {
	DIALOG_INFO_TAKEN,
	DIALOG_INFO_GAP, /* taken, but something before it is missing: ask for the full state */
	DIALOG_INFO_OLD, /* not newer than what is known: nothing has changed */
};

struct dialog_info_reading {
	struct raw_facts facts; /* borrows from `calls` and from the dialogs */
	struct raw_call calls[RAW_MAX_CALLS];
};

/* Whether documents of this Content-Type are read here. */
bool dialog_info_takes(const char *content_type);

/* Take a document into `dialogs` and say what the line does now. An empty document: nothing is known. `now` (wall ms,
 * 0 not known) gives calls their `since` from the duration. A result; -EINVAL with a sentence and the position, or
 * -ENOMEM: nothing has changed. */
int dialog_info_read(struct xml_reader *x, const char *data, size_t len, int64_t now, struct line_dialogs *dialogs,
    struct dialog_info_reading *ret, struct parse_error *error);

/* What was asked for anew takes the place of what is known, whose version stays; `by` is empty then. */
void line_dialogs_replace(struct line_dialogs *dialogs, struct line_dialogs *by);

void line_dialogs_done(struct line_dialogs *dialogs); /* free, and all zero again */

#endif
