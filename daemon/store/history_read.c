/* history_read.c: pages of history as JSON.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/instant.h"
#include "daemon/store/history_table.h"

/* The columns of a row, in this order in every statement here. */
#define COLUMNS "h.id,kind,seq,at,s.state,rich_since,telephony_since,gap,secret,other,h.user,h.state"
#define TABLES	"history h LEFT JOIN history_states s ON s.id=h.state"
enum {
	AT_ID,
	AT_KIND,
	AT_SEQ,
	AT_AT,
	AT_STATE,
	AT_RICH,
	AT_TELEPHONY,
	AT_GAP,
	AT_SECRET,
	AT_OTHER,
	AT_USER,
	AT_STATE_ID
};

static json_t *time_of(int64_t wall)
{
	char text[INSTANT_TEXT_SIZE];

	return wall == 0 ? json_null() : json_string(instant_format(wall, text));
}

static void set_since(json_t *half, int64_t since)
{
	if (json_is_object(half) && since != 0)
		json_object_set_new(half, "since", time_of(since));
}

/* Calls and the target of a forward, back in their places. */
static void add_secrets(json_t *row, const char *text)
{
	json_t *secret = text == NULL ? NULL : json_loads(text, 0, NULL),
	       *telephony = json_object_get(row, "telephony");
	json_t *calls = json_object_get(secret, "calls"), *target = json_object_get(secret, "target");
	json_t *forward = json_object_get(telephony, "forward");

	if (calls != NULL && json_is_object(telephony))
		json_object_set(telephony, "calls", calls);
	if (target != NULL && json_is_object(forward))
		json_object_set(forward, "target", target);
	json_decref(secret);
}

static void add_change(json_t *row, struct statement *st, bool secrets)
{
	const char *text = statement_column_text(st, AT_STATE);
	json_t *state = text == NULL ? NULL : json_loads(text, 0, NULL);

	json_object_set_new(row, "seq", json_integer(statement_column_number(st, AT_SEQ)));
	json_object_set_new(row, "at", time_of(statement_column_number(st, AT_AT)));
	set_since(json_object_get(state, "rich"), statement_column_number(st, AT_RICH));
	set_since(json_object_get(state, "telephony"), statement_column_number(st, AT_TELEPHONY));
	if (state != NULL)
		json_object_update(row, state);
	json_decref(state);
	if (secrets)
		add_secrets(row, statement_column_text(st, AT_SECRET));
}

static json_t *read_row(struct statement *st, const struct history_query *query)
{
	json_t *row = json_object();
	const char *kind = statement_column_text(st, AT_KIND);

	json_object_set_new(row, "id", json_integer(statement_column_number(st, AT_ID)));
	json_object_set_new(row, "kind", json_string(kind));
	if (!statement_column_is_null(st, AT_USER))
		json_object_set_new(row, "user", json_string(query->user));
	if (vocab_find(&vocab_history_kind, kind) == HISTORY_CHANGE)
		add_change(row, st, query->secrets);
	else
		json_object_set_new(row, "at", time_of(statement_column_number(st, AT_AT)));
	if (vocab_find(&vocab_history_kind, kind) == HISTORY_STARTED)
		json_object_set_new(row, "observed_until", time_of(statement_column_number(st, AT_OTHER)));
	if (vocab_find(&vocab_history_kind, kind) == HISTORY_RENAMED)
		json_object_set_new(row, "from", json_string(statement_column_text(st, AT_OTHER)));
	if (statement_column_number(st, AT_GAP) != 0)
		json_object_set_new(row, "gap", json_true());
	return row;
}

static void put_row(struct buf *b, json_t *row)
{
	char *text = json_dumps(row, JSON_COMPACT);

	if (b->len > 0 && buf_text(b)[b->len - 1] == '}')
		buf_putc(b, ',');
	buf_puts(b, text == NULL ? "null" : text);
	free(text);
	json_decref(row);
}

/* The number of the user in history; 0: there is none. */
static int find_user(struct database *db, const char *user, int64_t *ret)
{
	struct statement *st = database_statement(db, "SELECT id FROM history_users WHERE user=?");
	int r;

	*ret = 0;
	statement_text(st, 1, user);
	r = statement_step(st);
	if (r != 1)
		return r;
	*ret = statement_column_number(st, 0);
	statement_reset(st);
	return 0;
}

/* Where a page begins: behind this row in the order of time, and of numbers within it. */
static int find_position(struct database *db, const struct history_query *query, int64_t *ret_at)
{
	struct statement *st = database_statement(db, "SELECT at FROM history WHERE id=?");
	int r;

	*ret_at = INT64_MIN;
	if (query->after == 0)
		return 0;
	statement_number(st, 1, query->after);
	r = statement_step(st);
	if (r == 1) {
		*ret_at = statement_column_number(st, 0);
		statement_reset(st);
	}
	return r < 0 ? r : 0;
}

/* Rows of the user and of the daemon, each in the order of the index, so that a page costs a page. */
#define SELECT_PART(user) \
	"SELECT * FROM (SELECT " COLUMNS " FROM " TABLES " WHERE " user " AND at>=?2 AND at<?3" \
	" AND (at,h.id)>(?6,?4) ORDER BY at,h.id LIMIT ?5)"

struct page {
	const struct history_query *query;
	struct buf *b;
	int64_t count, last, state; /* rows; the last one, and its state: 0 none */
};

/* Without calls a row may be the same as the one before: then it is nothing to who may not see calls. */
static bool is_nothing_new(const struct page *p, struct statement *st)
{
	return !p->query->secrets && p->state != 0 && statement_column_number(st, AT_STATE_ID) == p->state &&
	    statement_column_number(st, AT_GAP) == 0 && !statement_column_is_null(st, AT_USER);
}

static void take_row(struct page *p, struct statement *st)
{
	p->last = statement_column_number(st, AT_ID);
	p->count++;
	if (is_nothing_new(p, st))
		return;
	p->state = statement_column_number(st, AT_STATE_ID);
	put_row(p->b, read_row(st, p->query));
}

static int read_rows(
    struct database *db, const struct history_query *query, int64_t user, struct buf *b, int64_t *ret_next)
{
	struct page page = { .query = query, .b = b };
	struct statement *st = database_statement(
	    db, SELECT_PART("h.user=?1") " UNION ALL " SELECT_PART("h.user IS NULL") " ORDER BY 4,1 LIMIT ?5");
	int64_t at;
	int r = find_position(db, query, &at);

	*ret_next = 0;
	if (r < 0)
		return r;
	statement_number(st, 1, user);
	statement_number(st, 2, query->from);
	statement_number(st, 3, query->to == 0 ? INT64_MAX : query->to);
	statement_number(st, 4, query->after);
	statement_number(st, 5, query->limit + 1);
	statement_number(st, 6, at);
	while ((r = statement_step(st)) == 1) {
		if (page.count == query->limit || b->len > HISTORY_PAGE_BYTES) {
			*ret_next = page.last;
			statement_reset(st);
			return 0;
		}
		take_row(&page, st);
	}
	return r;
}

/* The later of the last row of the user and the last of the daemon before `from`. A rename ends nothing. */
static int read_before(struct database *db, const struct history_query *query, int64_t user, struct buf *b)
{
	struct statement *st = database_statement(db,
	    "SELECT * FROM (SELECT * FROM (SELECT " COLUMNS " FROM " TABLES
	    " WHERE h.user=?1 AND at<?2 AND kind!='renamed' ORDER BY at DESC, h.id DESC LIMIT 1)"
	    " UNION ALL SELECT * FROM (SELECT " COLUMNS " FROM " TABLES
	    " WHERE h.user IS NULL AND at<?2 ORDER BY at DESC, h.id DESC LIMIT 1)) ORDER BY 4 DESC, 1 DESC LIMIT 1");
	int r;

	statement_number(st, 1, user);
	statement_number(st, 2, query->from);
	r = statement_step(st);
	if (r == 1) {
		put_row(b, read_row(st, query));
		statement_reset(st);
		return 0;
	}
	buf_puts(b, "null");
	return r;
}

int history_table_read(struct database *db, const struct history_query *query, struct buf *b)
{
	int64_t user = 0, next = 0;
	int r = find_user(db, query->user, &user);

	buf_puts(b, "\"rows\":[");
	if (r == 0)
		r = read_rows(db, query, user, b, &next);
	buf_puts(b, "],\"before\":");
	if (r == 0)
		r = read_before(db, query, user, b);
	if (next == 0)
		buf_puts(b, ",\"next\":null");
	else
		buf_printf(b, ",\"next\":%lld", (long long)next);
	return r < 0 ? r : user != 0;
}
