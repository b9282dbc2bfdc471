/* history_read.c: pages of history as JSON.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/instant.h"
#include "daemon/store/history_table.h"

/* The columns of a row, in this order in every statement here. */
#define COLUMNS "h.id,kind,seq,at,s.state,rich_since,telephony_since,gap,secret,other,h.user"
#define TABLES	"history h LEFT JOIN history_states s ON s.id=h.state"
enum { AT_ID, AT_KIND, AT_SEQ, AT_AT, AT_STATE, AT_RICH, AT_TELEPHONY, AT_GAP, AT_SECRET, AT_OTHER, AT_USER };

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

static int read_rows(
    struct database *db, const struct history_query *query, int64_t user, struct buf *b, int64_t *ret_next)
{
	struct statement *st = database_statement(db,
	    "SELECT * FROM (SELECT " COLUMNS " FROM " TABLES " WHERE h.user=?1 AND at>=?2 AND at<?3 AND h.id>?4"
	    " UNION ALL SELECT " COLUMNS " FROM " TABLES " WHERE h.user IS NULL AND at>=?2 AND at<?3 AND h.id>?4)"
	    " ORDER BY 1 LIMIT ?5");
	int64_t count = 0, last = 0;
	int r;

	statement_number(st, 1, user);
	statement_number(st, 2, query->from);
	statement_number(st, 3, query->to == 0 ? INT64_MAX : query->to);
	statement_number(st, 4, query->after);
	statement_number(st, 5, query->limit + 1);
	*ret_next = 0;
	while ((r = statement_step(st)) == 1) {
		if (count++ == query->limit || b->len > HISTORY_PAGE_BYTES) {
			*ret_next = last;
			statement_reset(st);
			return 0;
		}
		last = statement_column_number(st, AT_ID);
		put_row(b, read_row(st, query));
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
	    " WHERE h.user IS NULL AND at<?2 ORDER BY at DESC, h.id DESC LIMIT 1)) ORDER BY 1 DESC LIMIT 1");
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
