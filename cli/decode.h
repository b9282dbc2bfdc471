/* decode.h: what the decoders of all kinds of documents share.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_DECODE_H
#define PRESENCED_DECODE_H

#include "connectors/sip/dialog_info_document.h"
#include "connectors/tapi/line.h"
#include "daemon/base/buf.h"

/* What the documents of one command share: those before tell what the later ones mean. */
struct decoding {
	const char *type;   /* Content-Type; NULL not given */
	const char *entity; /* whose state is asked for; NULL not given */
	struct xml_reader *reader;
	struct line_dialogs dialogs;
	struct tapi_line line;
	bool in_pieces; /* a snapshot is coming */
};

/* Verdicts, one whole line each; false where the document is refused. */
bool decode_refused(struct buf *b, const char *why);
bool decode_ignored(struct buf *b, const char *reason);
bool decode_taken(struct buf *b, const struct raw_facts *rich, const struct raw_facts *telephony);

/* decode_csta.c: a document, or a stream of frames; there is a line of output for each, all but the last are printed. */
bool decode_csta(struct decoding *d, const char *data, size_t len, struct buf *b);

#endif
