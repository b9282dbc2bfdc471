/* history_table.c: writing and pruning history.
 * SPDX-License-Identifier: MIT */
#include "daemon/store/history_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS	   86400000
#define PRUNE_ROWS 500 /* looked at in one slice */

static const struct vocab_word kind_words[] = {
#define X(symbol, name, help) { name, help },
	HISTORY_KIND_MAP(X)
#undef X
};
const struct vocab vocab_history_kind = { "kind", kind_words, HISTORY_KIND_COUNT };

/* --- writing ------------------------------------------------------------------------------------- */

static int user_number(struct database *db, const char *user, int64_t *ret)
{
	struct statement *st = database_statement(db, "SELECT id FROM history_users WHERE user=?");
	int r;

	statement_text(st, 1, user);
	r = statement_step(st);
	if (r == 1) {
		*ret = statement_column_number(st, 0);
		statement_reset(st);
		return 0;
	}
	if (r < 0)
		return r;
	st = database_statement(db, "INSERT INTO history_users(user) VALUES(?)");
	statement_text(st, 1, user);
	r = statement_run(st);
	*ret = database_last_id(db);
	return r;
}

static int mark_used(struct database *db, int64_t state, int64_t day)
{
	struct statement *st = database_statement(db, "UPDATE history_states SET used=?2 WHERE id=?1 AND used<?2");

	statement_number(st, 1, state);
	statement_number(st, 2, day);
	return statement_run(st);
}

static int state_number(struct database *db, const char *state, int64_t day, int64_t *ret)
{
	struct statement *st = database_statement(db, "SELECT id, used FROM history_states WHERE state=?");
	int64_t used;
	int r;

	statement_text(st, 1, state);
	r = statement_step(st);
	if (r == 1) {
		*ret = statement_column_number(st, 0);
		used = statement_column_number(st, 1);
		statement_reset(st);
		return used < day ? mark_used(db, *ret, day) : 0;
	}
	if (r < 0)
		return r;
	st = database_statement(db, "INSERT INTO history_states(state,used) VALUES(?,?)");
	statement_text(st, 1, state);
	statement_number(st, 2, day);
	r = statement_run(st);
	*ret = database_last_id(db);
	return r;
}

static void put_number(struct statement *st, int at, int64_t number)
{
	if (number != 0)
		statement_number(st, at, number);
	else
		statement_null(st, at);
}

static int put_row(struct database *db, const struct history_record *record, int64_t user, int64_t state)
{
	struct statement *st = database_statement(db,
	    "INSERT INTO history(kind,user,seq,at,state,rich_since,telephony_since,gap,secret,other)"
	    " VALUES(?,?,?,?,?,?,?,?,?,?)");

	statement_text(st, 1, vocab_name(&vocab_history_kind, record->kind));
	put_number(st, 2, user);
	put_number(st, 3, (int64_t)record->seq);
	statement_number(st, 4, record->at);
	put_number(st, 5, state);
	put_number(st, 6, record->rich_since);
	put_number(st, 7, record->telephony_since);
	put_number(st, 8, record->gap);
	statement_text(st, 9, record->secret);
	if (record->from != NULL)
		statement_text(st, 10, record->from);
	else
		put_number(st, 10, record->until);
	return statement_run(st);
}

/* Whose record it is: not of the old id, while a rename is written and not yet told. */
static const char *user_of(struct history_table *t, const struct history_record *record)
{
	if (record->kind == HISTORY_RENAMED)
		t->from[0] = '\0';
	return t->from[0] != '\0' && strcmp(record->user, t->from) == 0 ? t->to : record->user;
}

int history_table_put(struct history_table *t, struct database *db, const struct history_record *record)
{
	int64_t user = 0, state = 0;
	int r = 0;

	if (record->kind == HISTORY_ALIVE)
		return database_set_meta(db, "alive", record->at);
	if (record->user != NULL)
		r = user_number(db, user_of(t, record), &user);
	if (r == 0 && record->state != NULL)
		r = state_number(db, record->state, record->at / DAY_MS, &state);
	return r < 0 ? r : put_row(db, record, user, state);
}

void history_table_renaming(struct history_table *t, const char *from, const char *to)
{
	snprintf(t->from, sizeof t->from, "%s", from);
	snprintf(t->to, sizeof t->to, "%s", to);
}

/* --- pruning ------------------------------------------------------------------------------------- */

/* One row that is old enough. */
struct old_row {
	int64_t id, user, state; /* user 0: the daemon */
	bool removed, renamed;
};

/* Whether a later row of the same user is old as well: then this one was not in force at the cutoff. */
static int is_superseded(struct database *db, const struct old_row *row, int64_t cutoff)
{
	struct statement *st = database_statement(
	    db, "SELECT 1 FROM history WHERE user IS ? AND at<? AND id>? AND kind!='renamed' ORDER BY at DESC LIMIT 1");
	int r;

	put_number(st, 1, row->user);
	statement_number(st, 2, cutoff);
	statement_number(st, 3, row->id);
	r = statement_step(st);
	if (r == 1)
		statement_reset(st);
	return r;
}

static int delete_row(struct database *db, const struct old_row *row)
{
	struct statement *st = database_statement(db, "DELETE FROM history WHERE id=?");
	int r;

	statement_number(st, 1, row->id);
	r = statement_run(st);
	if (r < 0 || (!row->removed && !row->renamed))
		return r;
	/* nothing is left of somebody who is gone */
	st = database_statement(
	    db, "DELETE FROM history_users WHERE id=?1 AND NOT EXISTS(SELECT 1 FROM history WHERE user=?1)");
	statement_number(st, 1, row->user);
	return statement_run(st);
}

static int prune_row(struct database *db, const struct old_row *row, int64_t cutoff)
{
	int r = row->removed || row->renamed ? 1 : is_superseded(db, row, cutoff);

	if (r == 1)
		return delete_row(db, row);
	return r < 0 || row->state == 0 ? r : mark_used(db, row->state, cutoff / DAY_MS);
}

/* The next rows by number; a row from after the cutoff ends the pass. */
static int read_old(struct database *db, int64_t cutoff, int64_t position, struct old_row *rows, int *ret_count)
{
	struct statement *st =
	    database_statement(db, "SELECT id,user,state,kind,at FROM history WHERE id>? ORDER BY id LIMIT ?");
	int r;

	statement_number(st, 1, position);
	statement_number(st, 2, PRUNE_ROWS);
	*ret_count = 0;
	while ((r = statement_step(st)) == 1) {
		const char *kind = statement_column_text(st, 3);

		if (statement_column_number(st, 4) >= cutoff) {
			statement_reset(st);
			return 0;
		}
		rows[(*ret_count)++] = (struct old_row){ .id = statement_column_number(st, 0),
			.user = statement_column_number(st, 1),
			.state = statement_column_number(st, 2),
			.removed = kind != NULL && strcmp(kind, "removed") == 0,
			.renamed = kind != NULL && strcmp(kind, "renamed") == 0 };
	}
	return r;
}

int history_table_prune(struct database *db, int64_t cutoff, int64_t *position)
{
	struct old_row rows[PRUNE_ROWS];
	struct statement *st;
	int count, r = read_old(db, cutoff, *position, rows, &count);

	for (int i = 0; i < count && r == 0; i++)
		r = prune_row(db, &rows[i], cutoff);
	if (r < 0)
		return r;
	if (count == PRUNE_ROWS) {
		*position = rows[count - 1].id;
		return 0;
	}
	*position = 0;
	st = database_statement(db, "DELETE FROM history_states WHERE used<?");
	statement_number(st, 1, cutoff / DAY_MS);
	return statement_run(st);
}
