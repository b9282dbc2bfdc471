/* decode_csta.c: what documents of a CSTA switch say of one line, alone or as they were captured from the wire.
 * SPDX-License-Identifier: MIT
 *
 * Time does not pass between them: a call that has ended does not come back by a late event.
 */
#include <stdio.h>
#include <strings.h>

#include "cli/decode.h"
#include "connectors/tapi/csta_line.h"
#include "connectors/tapi/csta_refusal.h"

static const struct instant once = { .mono = 1 };

static bool say(struct decoding *d, struct buf *b)
{
	struct line_reading reading;

	line_read(&d->line, &reading);
	return decode_taken(b, NULL, &reading.facts);
}

static bool take_event(struct decoding *d, const struct csta_message *m, struct buf *b)
{
	const struct csta_owner owner = { .device = d->entity };
	unsigned ask;
	int effect = csta_line_event(&d->line, m, &owner, once, &ask);

	if (effect < 0)
		return decode_refused(b, "no memory");
	if (effect == CSTA_EFFECT_UNCLEAR)
		return decode_ignored(
		    b, "the event does not say what it means for the monitored device: say which that is by --entity");
	if (effect == CSTA_EFFECT_NONE)
		return decode_ignored(b,
		    m->kind == CSTA_OTHER_EVENT	      ? "events of this kind say nothing of the line" :
			m->kind == CSTA_CHANGED_EVENT ? "the device has changed: it is asked again" :
			m->kind == CSTA_FORWARD_EVENT ? "forwarding on a condition is not presence" :
							"it changes nothing at the monitored device");
	if (m->kind == CSTA_CALL_EVENT || m->kind == CSTA_TRANSFER_EVENT)
		line_calls_believe(&d->line);
	return say(d, b);
}

static bool take_snapshot(struct decoding *d, const struct csta_message *m, bool last, struct buf *b)
{
	uint32_t asked = line_clock(&d->line);

	if (!d->in_pieces)
		line_calls_begin(&d->line);
	d->in_pieces = !last;
	if (csta_line_snapshot(&d->line, m, asked, once) < 0)
		return decode_refused(b, "no memory");
	if (!last)
		return decode_ignored(b, "a piece of a snapshot: the line is known with the last one");
	line_calls_end(&d->line, asked, once);
	return say(d, b);
}

static bool take_response(struct decoding *d, const struct csta_message *m, struct buf *b)
{
	if (m->snapshot)
		return take_snapshot(d, m, true, b);
	if (strcasecmp(m->name, "SnapshotDeviceResponse") == 0 && m->service_cross_ref != NULL)
		return decode_ignored(b, "the snapshot comes in pieces (SnapshotDeviceData)");
	if (m->dnd >= 0) {
		line_dnd_answered(&d->line, m->dnd, line_clock(&d->line));
		return say(d, b);
	}
	if (strcasecmp(m->name, "GetForwardingResponse") != 0)
		return decode_ignored(b, "a response that says nothing of the line");
	if (csta_line_forwards(&d->line, m, line_clock(&d->line)) < 0)
		return decode_refused(b, "no memory");
	return say(d, b);
}

static bool take_message(struct decoding *d, const struct csta_message *m, struct buf *b)
{
	char why[300];

	switch (m->kind) {
	case CSTA_CALL_EVENT:
	case CSTA_TRANSFER_EVENT:
	case CSTA_DND_EVENT:
	case CSTA_FORWARD_EVENT:
	case CSTA_OUT_OF_SERVICE_EVENT:
	case CSTA_IN_SERVICE_EVENT:
	case CSTA_CHANGED_EVENT:
	case CSTA_OTHER_EVENT:
		return take_event(d, m, b);
	case CSTA_RESPONSE:
		return take_response(d, m, b);
	case CSTA_SNAPSHOT_DATA:
		return take_snapshot(d, m, m->last, b);
	case CSTA_ERROR:
	case CSTA_NEGATIVE_RESPONSE:
		return decode_ignored(b, csta_refusal_text(m, why, sizeof why));
	case CSTA_MONITOR_STOP:
	case CSTA_SYSTEM_STATUS:
	case CSTA_STATUS_QUESTION:
	case CSTA_SESSION_ENDED:
	case CSTA_OTHER_REQUEST:
		break;
	}
	return decode_ignored(b, "a request says nothing of the line");
}

static bool take_document(struct decoding *d, const char *data, size_t len, struct buf *b)
{
	struct csta_message m;
	struct parse_error error = { "no memory" };

	if (csta_read(d->reader, data, len, &m, &error) < 0)
		return decode_refused(b, error.text);
	return take_message(d, &m, b);
}

/* Bytes of the frame that begins there, as csta_document.h has them; 0: none does. */
static size_t frame_length(const char *data, size_t left)
{
	const unsigned char *head = (const unsigned char *)data;
	size_t len = left < CSTA_HEAD_BYTES ? 0 : (size_t)head[2] << 8 | head[3];

	return left < CSTA_HEAD_BYTES || head[0] != 0 || head[1] != 0 || len < CSTA_HEAD_BYTES || len > left ? 0 : len;
}

static bool take_frame(struct decoding *d, const char *data, size_t len, struct buf *b)
{
	if (len == CSTA_HEAD_BYTES)
		return decode_ignored(b, "a frame without a document");
	return take_document(d, data + CSTA_HEAD_BYTES, len - CSTA_HEAD_BYTES, b);
}

bool decode_csta(struct decoding *d, const char *data, size_t len, struct buf *b)
{
	bool fine = true;
	char why[120];

	if (len == 0 || data[0] != '\0')
		return take_document(d, data, len, b);
	for (size_t at = 0, frame; at < len; at += frame) {
		if (at > 0) {
			puts(buf_text(b));
			buf_clear(b);
		}
		frame = frame_length(data + at, len - at);
		if (frame == 0) {
			snprintf(why, sizeof why, "byte %zu: no whole frame begins there", at);
			return decode_refused(b, why);
		}
		fine = take_frame(d, data + at, frame, b) && fine;
	}
	return fine;
}
