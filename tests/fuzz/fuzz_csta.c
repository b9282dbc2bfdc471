/* fuzz_csta.c: documents of a switch (0xFF between them) leave a line whole, and facts that may be said; or an error.
 * SPDX-License-Identifier: MIT
 *
 * The first byte chooses how they are taken: whose line it is, and how many of the last documents a snapshot is behind
 * (its question was asked before them). Time passes by what the documents are long.
 */
#include "tests/fuzz/fuzz_facts.h"

#include "connectors/tapi/csta_line.h"
#include "connectors/tapi/csta_refusal.h"

#define NOON   INT64_C(1795176000000) /* 2026-11-20T12:00:00Z */
#define BEHIND 4

struct fuzzed {
	struct xml_reader *reader;
	struct tapi_line line;
	struct csta_owner owner;
	struct instant now;
	uint32_t clocks[BEHIND]; /* before each of the last documents */
	unsigned behind;
	bool in_pieces;
};

static void check_text(const char *text, size_t max)
{
	if (text == NULL)
		return;
	assert(strlen(text) <= max && utf8_is_valid(text, strlen(text)));
}

static void check_party(const struct csta_party *p)
{
	check_text(p->number, RAW_MAX_TEXT_BYTES);
	check_text(p->name, RAW_MAX_TEXT_BYTES);
	assert(p->said || (p->number == NULL && p->name == NULL));
}

static void check_call(const struct csta_call *c)
{
	check_text(c->id, CSTA_TEXT_MAX_BYTES);
	check_party(&c->calling);
	check_party(&c->called);
	check_text(c->roles[0], CSTA_TEXT_MAX_BYTES);
	check_text(c->roles[1], CSTA_TEXT_MAX_BYTES);
	check_text(c->dropped, CSTA_TEXT_MAX_BYTES);
	assert(c->local >= -1 && c->local < CONNECTION_COUNT && c->answered >= -1 && c->answered <= 1);
}

static void check_forward(const struct csta_forward *f)
{
	assert(f->kind >= -1 && f->kind < LINE_FORWARDS);
	check_text(f->to, RAW_MAX_TEXT_BYTES);
}

static void check_message(const struct csta_message *m)
{
	char key[64], why[RAW_MAX_TEXT_BYTES];

	assert(m->name != NULL && m->category != NULL && m->error != NULL);
	assert(m->status >= -1 && m->status < CSTA_STATUS_COUNT && m->dnd >= -1 && m->dnd <= 1 && m->duration >= 0);
	check_text(m->cross_ref, CSTA_TEXT_MAX_BYTES);
	check_text(m->service_cross_ref, CSTA_TEXT_MAX_BYTES);
	check_text(m->session, CSTA_TEXT_MAX_BYTES);
	check_text(m->error, CSTA_TEXT_MAX_BYTES);
	check_call(&m->call);
	check_forward(&m->forward);
	for (size_t i = 0; i < m->forward_count; i++)
		check_forward(&m->forwards[i]);
	for (size_t i = 0; i < m->call_count; i++) {
		check_call(&m->calls[i]);
		assert(m->calls[i].id != NULL && m->calls[i].local >= 0);
	}
	for (size_t i = 0; i < m->joined_count; i++) {
		check_text(m->joined[i].id, CSTA_TEXT_MAX_BYTES);
		check_text(m->joined[i].device, CSTA_TEXT_MAX_BYTES);
		check_text(m->joined[i].endpoint, CSTA_TEXT_MAX_BYTES);
		check_party(&m->joined[i].party);
	}
	assert((m->kind == CSTA_CALL_EVENT || m->kind == CSTA_TRANSFER_EVENT) == (m->call.row != NULL));
	assert(m->kind != CSTA_CALL_EVENT || m->call.id != NULL);
	if (m->call.roles[0] != NULL)
		assert(strlen(csta_device_key(m->call.roles[0], key, sizeof key)) < sizeof key);
	if (m->kind == CSTA_ERROR || m->kind == CSTA_NEGATIVE_RESPONSE) {
		assert(csta_refusal_of(m) != NULL);
		csta_refusal_text(m, why, sizeof why);
		assert(why[0] != '\0');
		check_text(why, sizeof why - 1);
	}
}

static void check_line(const struct tapi_line *line)
{
	struct line_reading reading;

	assert(line->count <= LINE_CALLS_MAX && (line->calls != NULL) == (line->count > 0));
	assert(line->dnd >= -1 && line->dnd <= 1);
	line_read(line, &reading);
	fuzz_facts(&reading.facts);
	assert(reading.facts.status == STATE_STATUS_OK);
	if ((reading.facts.known & RAW_CALLS) == 0)
		assert(reading.facts.call_count == 0);
	if (line->out_of_service)
		assert((reading.facts.known & RAW_LINE) != 0 && reading.facts.line == LINE_OFFLINE);
	for (size_t i = 0; i < reading.facts.call_count; i++)
		if (reading.calls[i].state == CALL_STATE_CONNECTED && !line->out_of_service)
			assert(reading.facts.line == LINE_BUSY);
}

static void take_answer(struct fuzzed *f, const struct csta_message *m)
{
	uint32_t asked = f->clocks[f->behind % BEHIND];
	bool last = m->kind == CSTA_RESPONSE || m->last;
	int r;

	if (m->snapshot) {
		if (!f->in_pieces)
			line_calls_begin(&f->line);
		f->in_pieces = !last;
		assert(csta_line_snapshot(&f->line, m, asked, f->now) == 0);
		if (!last)
			return;
		r = line_calls_end(&f->line, asked, f->now);
		assert(r == 0 || r == TAPI_ASK_AGAIN);
		assert(f->line.calls_known);
		/* The truth: nothing else is left, unless it is newer than the question. */
		if (m->kind == CSTA_RESPONSE && asked == line_clock(&f->line))
			assert(r == 0 && f->line.count <= m->call_count);
	} else if (m->dnd >= 0) {
		line_dnd_answered(&f->line, m->dnd, asked);
	} else {
		assert(csta_line_forwards(&f->line, m, asked) == 0);
	}
}

static void take_event(struct fuzzed *f, const struct csta_message *m)
{
	struct call_said said;
	uint32_t before = line_clock(&f->line);
	unsigned ask = 0;
	int effect = csta_line_event(&f->line, m, &f->owner, f->now, &ask);

	assert(effect >= CSTA_EFFECT_NONE && effect <= CSTA_EFFECT_UNCLEAR);
	assert((ask & ~(unsigned)(TAPI_ASK_CALLS | TAPI_ASK_AGAIN | TAPI_ASK_FORWARD | TAPI_ASK_EVERYTHING)) == 0);
	if (effect != CSTA_EFFECT_TAKEN)
		assert(line_clock(&f->line) == before);
	if (effect == CSTA_EFFECT_TAKEN && m->kind == CSTA_CALL_EVENT) {
		line_calls_believe(&f->line);
		if (m->call.row->over || m->call.local == CONNECTION_NULL)
			assert(!line_call_find(&f->line, m->call.id, &said));
	}
	if (m->kind == CSTA_OUT_OF_SERVICE_EVENT)
		assert(f->line.out_of_service && f->line.count == 0);
}

static void take_document(struct fuzzed *f, const uint8_t *data, size_t len)
{
	struct parse_error error = { { 0 } };
	struct csta_message m;
	int r = csta_read(f->reader, (const char *)data, len, &m, &error);

	f->now.mono += (int64_t)len * 10;
	f->now.wall = NOON + f->now.mono;
	if (r < 0) {
		assert(error.text[0] != '\0' && utf8_is_valid(error.text, strlen(error.text)));
		return;
	}
	check_message(&m);
	memmove(f->clocks + 1, f->clocks, sizeof f->clocks - sizeof *f->clocks);
	f->clocks[0] = line_clock(&f->line);
	if (m.kind == CSTA_RESPONSE || m.kind == CSTA_SNAPSHOT_DATA)
		take_answer(f, &m);
	else
		take_event(f, &m);
	check_line(&f->line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const devices[] = { "201", NULL, "N<202>Bob", "4750:CM1::0" };
	static struct xml_reader *x; /* the same for all documents, as in the daemon */
	struct fuzzed f = { .now = { .mono = 1 } };

	if (x == NULL)
		x = xml_reader_new();
	assert(x != NULL);
	f.reader = x;
	line_init(&f.line);
	if (len > 0 && data[0] < 16) { /* no document begins so */
		f.owner.device = devices[data[0] % 4];
		f.behind = data[0] / 4u;
		data++;
		len--;
	}
	while (len > 0) {
		const uint8_t *end = memchr(data, 0xff, len);
		size_t n = end == NULL ? len : (size_t)(end - data);

		take_document(&f, data, n);
		n = end == NULL ? n : n + 1;
		data += n;
		len -= n;
	}
	line_done(&f.line);
	assert(f.line.calls == NULL && f.line.count == 0);
	return 0;
}
