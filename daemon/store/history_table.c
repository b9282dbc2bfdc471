/* history_table.c: writing and pruning history.
 * SPDX-License-Identifier: MIT */
#include "daemon/store/history_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS	    86400000
#define PRUNE_ROWS  1000 /* deleted in one statement */
#define PRUNE_USERS 200	 /* looked at in one slice */

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
	t->fresh = true;
}

void history_table_undone(struct history_table *t)
{
	if (t->fresh)
		t->from[0] = '\0';
	t->fresh = false;
}

/* --- pruning ------------------------------------------------------------------------------------- */

/* The last row before the cutoff: what was in force then. A rename ends nothing. */
struct in_force {
	int64_t id, state; /* 0: none */
	bool removed;
};

static int find_in_force(struct database *db, int64_t user, int64_t cutoff, struct in_force *ret)
{
	struct statement *st = database_statement(db,
	    "SELECT id,state,kind FROM history WHERE user IS ? AND at<? AND kind!='renamed' ORDER BY at DESC, id DESC"
	    " LIMIT 1");
	const char *kind;
	int r;

	*ret = (struct in_force){ 0 };
	put_number(st, 1, user);
	statement_number(st, 2, cutoff);
	r = statement_step(st);
	if (r != 1)
		return r;
	kind = statement_column_text(st, 2);
	*ret = (struct in_force){ .id = statement_column_number(st, 0),
		.state = statement_column_number(st, 1),
		.removed = kind != NULL && strcmp(kind, "removed") == 0 };
	statement_reset(st);
	return 0;
}

/* At most PRUNE_ROWS of the others go. *ret: how many did. */
static int delete_old(struct database *db, int64_t user, int64_t cutoff, int64_t but, int64_t *ret)
{
	struct statement *st = database_statement(
	    db, "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE user IS ? AND at<? AND id!=? LIMIT ?)");
	int r;

	put_number(st, 1, user);
	statement_number(st, 2, cutoff);
	statement_number(st, 3, but);
	statement_number(st, 4, PRUNE_ROWS);
	r = statement_run(st);
	*ret = database_changes(db);
	return r;
}

/* Nothing is left of somebody who is gone. */
static int forget_user(struct database *db, int64_t user)
{
	struct statement *st = database_statement(
	    db, "DELETE FROM history_users WHERE id=?1 AND NOT EXISTS(SELECT 1 FROM history WHERE user=?1)");

	statement_number(st, 1, user);
	return statement_run(st);
}

/* *ret_more: the user has more old rows than one call deletes. *total counts what it has deleted. */
static int prune_user(struct database *db, int64_t user, int64_t cutoff, bool *ret_more, int64_t *total)
{
	struct in_force last;
	int64_t deleted = 0;
	int r = find_in_force(db, user, cutoff, &last);

	*ret_more = false;
	if (r < 0)
		return r;
	r = delete_old(db, user, cutoff, last.removed ? 0 : last.id, &deleted);
	*ret_more = deleted == PRUNE_ROWS;
	*total += deleted;
	if (r == 0 && (last.removed || last.id == 0) && !*ret_more)
		return forget_user(db, user);
	return r < 0 || last.state == 0 ? r : mark_used(db, last.state, cutoff / DAY_MS);
}

/* The next user by number; 0: there is none. */
static int next_user(struct database *db, int64_t after, int64_t *ret)
{
	struct statement *st = database_statement(db, "SELECT id FROM history_users WHERE id>? ORDER BY id LIMIT 1");
	int r;

	*ret = 0;
	statement_number(st, 1, after);
	r = statement_step(st);
	if (r != 1)
		return r;
	*ret = statement_column_number(st, 0);
	statement_reset(st);
	return 0;
}

/* States that no row names: those in force were marked, newer rows mark theirs when they are written. */
static int delete_states(struct database *db, int64_t cutoff)
{
	struct statement *st = database_statement(db, "DELETE FROM history_states WHERE used<?");

	statement_number(st, 1, cutoff / DAY_MS);
	return statement_run(st);
}

int history_table_prune(struct database *db, int64_t cutoff, int64_t *position)
{
	bool more = false;
	int64_t total = 0;
	int r = *position == 0 ? prune_user(db, 0, cutoff, &more, &total) : 0; /* rows of the daemon */

	for (int n = 0; n < PRUNE_USERS && total < PRUNE_ROWS && r == 0 && !more; n++) {
		int64_t user = 0;

		r = next_user(db, *position, &user);
		if (r == 0 && user == 0) {
			*position = 0;
			return delete_states(db, cutoff);
		}
		if (r == 0)
			r = prune_user(db, user, cutoff, &more, &total);
		if (r == 0 && !more)
			*position = user;
	}
	if (*position == 0 && r == 0)
		*position = -1; /* the pass goes on, with the first user */
	return r;
}
