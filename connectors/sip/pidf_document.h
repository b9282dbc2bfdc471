/* pidf_document.h: what a presence document means: PIDF (RFC 3863), data model (RFC 4479), RPID (RFC 4480), and Cisco's.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_PIDF_DOCUMENT_H
#define PRESENCED_PIDF_DOCUMENT_H

#include "connectors/xml.h"
#include "daemon/model/raw_state.h"

/* A document has two readings: of a person, and of a telephone line that is watched with this package. The facts
 * borrow from the reader of XML and from this struct. */
struct pidf_reading {
	struct raw_facts rich, telephony;
	struct raw_call call; /* the one that a note such as "Talk 101" tells of */
};

/* Whether documents of this Content-Type are read here. */
bool pidf_takes(const char *content_type);

/* Read a document. An empty one gives no facts. 0; -EINVAL with a sentence and the position; -ENOMEM. */
int pidf_read(struct xml_reader *x, const char *data, size_t len, struct pidf_reading *ret, struct parse_error *error);

#endif
