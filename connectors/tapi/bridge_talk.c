/* bridge_talk.c: what we say to a host with TAPI: whom we want to know of, and what we want to hear again.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "connectors/tapi/bridge_private.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/utf8.h"
#include "daemon/loop.h"

#define WELCOMES_MS   200 /* between two of them */
#define ASK_SOON_MS   20  /* so that many lines are asked for at once */
#define ASKED_AT_ONCE 200

/* --- sending --------------------------------------------------------------------------------------- */

void bridge_begin(struct buf *b, const char *type)
{
	buf_init(b, BRIDGE_LINE_BYTES);
	jsonw_object(b, NULL);
	jsonw_text(b, "type", type);
}

/* False: it does not fit in a line. */
bool bridge_send(struct bridge *c, struct bridge_guest *g, struct buf *b)
{
	bool fits;

	jsonw_object_end(b);
	buf_putc(b, '\n');
	fits = !b->failed;
	if (fits && link_guest_send(g->guest, buf_text(b), b->len) < 0)
		c->want_changed = true; /* it does not read, or is gone: said again if it comes back to itself */
	if (g == c->host)
		c->sent_at = bridge_now(c);
	buf_done(b);
	return fits;
}

void bridge_fail(
    struct bridge *c, struct bridge_guest *g, const char *code, const char *message, const char *line, int64_t seq)
{
	struct buf b;

	if (g == c->host && strcmp(code, "replaced") != 0) {
		c->faults++;
		snprintf(c->last_fault, sizeof c->last_fault, "%.200s (%s)", message, code);
		utf8_repair(c->last_fault);
	}
	bridge_begin(&b, "error");
	jsonw_text(&b, "code", code);
	jsonw_text(&b, "message", message);
	if (line != NULL)
		jsonw_text(&b, "line", line);
	if (seq > 0)
		jsonw_int(&b, "seq", seq);
	bridge_send(c, g, &b);
}

int64_t bridge_ping_interval(const struct bridge *c)
{
	int64_t seconds = c->base.settings->keepalive / 2000;

	return seconds < 1 ? 1 : seconds;
}

static void put_want(const struct bridge *c, struct buf *b)
{
	struct hash_link *link;

	jsonw_list(b, "want");
	HASH_EACH (link, &c->lines) {
		const struct bridge_line *l = hash_entry(link, const struct bridge_line, link);

		if (l->watched)
			jsonw_text(b, NULL, l->name);
	}
	jsonw_list_end(b);
}

static void begin_welcome(const struct bridge *c, struct buf *b)
{
	bridge_begin(b, "welcome");
	jsonw_int(b, "version", BRIDGE_VERSION);
	jsonw_int(b, "pingInterval", bridge_ping_interval(c));
}

void bridge_welcome(struct bridge *c)
{
	struct buf b;

	c->want_changed = false;
	c->welcomed_at = bridge_now(c);
	begin_welcome(c, &b);
	put_want(c, &b);
	if (bridge_send(c, c->host, &b))
		return;
	begin_welcome(c, &b);
	jsonw_text(&b, "want", "*");
	bridge_send(c, c->host, &b);
}

void bridge_request(struct bridge *c, const char *const *lines, size_t count, const char *reason)
{
	int64_t id = c->next_id++;
	struct buf b;

	c->requests++;
	bridge_begin(&b, "resyncRequest");
	jsonw_int(&b, "id", id);
	if (count > 0) {
		jsonw_list(&b, "lines");
		for (size_t i = 0; i < count; i++)
			jsonw_text(&b, NULL, lines[i]);
		jsonw_list_end(&b);
	} else {
		c->all_ids[c->all_count++ % ALL_IDS] = id;
		c->all_asked = true;
		c->progress_at = bridge_now(c);
		c->gap = false;
		c->gap_at = bridge_now(c) + c->gap_ms;
		c->gap_ms = c->gap_ms * 2 < BRIDGE_GAP_MAX_MS ? c->gap_ms * 2 : BRIDGE_GAP_MAX_MS;
	}
	jsonw_text(&b, "reason", reason);
	bridge_send(c, c->host, &b);
}

/* --- what goes out together ------------------------------------------------------------------------ */

void bridge_wish(struct bridge *c)
{
	if (!c->wished)
		loop_event_arm_in(c->wish, ASK_SOON_MS);
	c->wished = true;
}

/* Only lines that the host has opened are asked for; others it is about to open. */
static bool is_asked(const struct bridge *c, const struct bridge_line *l)
{
	return c->host != NULL && l->ask && l->place == PLACE_OPEN && c->first_over && !c->all_asked;
}

static void ask_and_say(struct bridge *c)
{
	const char *names[ASKED_AT_ONCE];
	struct bridge_line *l;
	size_t count = 0;

	while (count < ASKED_AT_ONCE && (l = TAILQ_FIRST(&c->due)) != NULL) {
		if (is_asked(c, l))
			names[count++] = l->name;
		if (l->say)
			bridge_line_say(c, l);
		bridge_line_not_due(c, l);
	}
	if (count > 0)
		bridge_request(c, names, count, "to prove what is known of them");
	if (!TAILQ_EMPTY(&c->due))
		bridge_wish(c);
}

void bridge_on_wish(void *arg, short what)
{
	struct bridge *c = arg;
	int64_t wait = c->welcomed_at + WELCOMES_MS - bridge_now(c);

	(void)what;
	c->wished = false;
	ask_and_say(c);
	if (c->host == NULL || !c->want_changed)
		return;
	if (wait <= 0) {
		bridge_welcome(c);
	} else {
		loop_event_arm_in(c->wish, wait);
		c->wished = true;
	}
}

void bridge_ask_for_all(struct bridge *c, const char *reason)
{
	if (c->all_asked)
		return; /* its answer will be newer */
	if (bridge_now(c) < c->gap_at)
		c->gap = true;
	else
		bridge_request(c, NULL, 0, reason);
}
