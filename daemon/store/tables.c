/* tables.c: rows in and out.
 * SPDX-License-Identifier: MIT */
#include "daemon/store/tables.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/user_json.h"

#define FIELDS_MAX_BYTES (256 * 1024)

/* --- everything anew ----------------------------------------------------------------------------- */

/* The keys that were seen since tables_begin_all(), in a table that is gone with the connection. */
static const char create_seen[] = "CREATE TEMP TABLE IF NOT EXISTS seen(kind INTEGER, a, b, PRIMARY KEY(kind, a, b))"
				  " WITHOUT ROWID";
static const char empty_seen[] = "DELETE FROM temp.seen";

int tables_begin_all(struct database *db)
{
	int r = statement_run(database_statement(db, create_seen));

	return r < 0 ? r : statement_run(database_statement(db, empty_seen));
}

int tables_see(struct database *db, enum tables_kind kind, const char *a, const char *b)
{
	struct statement *st = database_statement(db, "INSERT OR IGNORE INTO temp.seen(kind,a,b) VALUES(?,?,?)");

	statement_number(st, 1, (int64_t)kind);
	statement_text(st, 2, a);
	statement_text(st, 3, b);
	return statement_run(st);
}

int tables_end_all(struct database *db)
{
	static const char *const sql[] = {
		"DELETE FROM entries WHERE NOT EXISTS(SELECT 1 FROM seen WHERE kind=0 AND a=origin AND b=key)",
		"DELETE FROM notes WHERE NOT EXISTS(SELECT 1 FROM seen WHERE kind=1 AND a=user AND b='')",
		"DELETE FROM requests WHERE NOT EXISTS(SELECT 1 FROM seen WHERE kind=2 AND a=source AND b=address)",
		"DELETE FROM memory WHERE NOT EXISTS(SELECT 1 FROM seen WHERE kind=3 AND a=source AND b=key)",
	};
	int r = 0;

	for (size_t i = 0; i < sizeof sql / sizeof *sql && r == 0; i++)
		r = statement_run(database_statement(db, sql[i]));
	return r < 0 ? r : statement_run(database_statement(db, empty_seen));
}

/* --- putting ------------------------------------------------------------------------------------- */

int tables_put_entry(struct database *db, const char *origin, const char *key, const struct user_fields *fields)
{
	struct statement *st = database_statement(db,
	    fields == NULL ?
		"DELETE FROM entries WHERE origin=? AND key=?" :
		"INSERT INTO entries(origin,key,user,fields) VALUES(?,?,?,?) ON CONFLICT DO UPDATE SET"
		" user=excluded.user, fields=excluded.fields WHERE user!=excluded.user OR fields!=excluded.fields");
	struct buf b;
	int r;

	buf_init(&b, FIELDS_MAX_BYTES);
	statement_text(st, 1, origin);
	statement_text(st, 2, key);
	if (fields != NULL) {
		jsonw_object(&b, NULL);
		user_json_write(&b, fields, true);
		jsonw_object_end(&b);
		statement_text(st, 3, user_field(fields, USER_ID));
		statement_text(st, 4, buf_text(&b));
	}
	r = b.failed ? -EINVAL : statement_run(st);
	buf_done(&b);
	return r;
}

int tables_put_note(struct database *db, const struct note *note)
{
	struct statement *st = database_statement(db,
	    "INSERT INTO notes(user,text,author,at,until) VALUES(?,?,?,?,?) ON CONFLICT DO UPDATE SET"
	    " text=excluded.text, author=excluded.author, at=excluded.at, until=excluded.until"
	    " WHERE text!=excluded.text OR author!=excluded.author OR at!=excluded.at OR until!=excluded.until");

	statement_text(st, 1, note->user);
	statement_text(st, 2, note->text);
	statement_text(st, 3, note->author);
	statement_number(st, 4, note->at);
	statement_number(st, 5, note->until);
	return statement_run(st);
}

int tables_drop_note(struct database *db, const char *user)
{
	struct statement *st = database_statement(db, "DELETE FROM notes WHERE user=?");

	statement_text(st, 1, user);
	return statement_run(st);
}

int tables_end_note(struct database *db, const char *user, int64_t at, int64_t until)
{
	struct statement *st = database_statement(db, "DELETE FROM notes WHERE user=? AND at=? AND until=?");

	statement_text(st, 1, user);
	statement_number(st, 2, at);
	statement_number(st, 3, until);
	return statement_run(st);
}

int tables_put_request(struct database *db, const struct request_row *row)
{
	/* another file may have given the id to somebody else */
	struct statement *st = database_statement(db,
	    "INSERT OR REPLACE INTO requests(id,source,address,name,text,at) SELECT ?1,?2,?3,?4,?5,?6"
	    " WHERE NOT EXISTS(SELECT 1 FROM requests WHERE id=?1 AND source=?2 AND address=?3 AND name IS ?4"
	    " AND text IS ?5 AND at=?6)");
	int64_t last = 0;
	int r;

	statement_number(st, 1, row->id);
	statement_text(st, 2, row->source);
	statement_text(st, 3, row->address);
	statement_text(st, 4, row->name);
	statement_text(st, 5, row->text);
	statement_number(st, 6, row->at);
	r = statement_run(st);
	if (r == 0)
		r = tables_last_request(db, &last);
	return r < 0 || last >= row->id ? r : database_set_meta(db, "last_request", row->id);
}

int tables_drop_request(struct database *db, int64_t id)
{
	struct statement *st = database_statement(db, "DELETE FROM requests WHERE id=?");

	statement_number(st, 1, id);
	return statement_run(st);
}

int tables_last_request(struct database *db, int64_t *ret)
{
	return database_meta(db, "last_request", ret);
}

int tables_put_memory(struct database *db, const struct recall_item *item)
{
	struct statement *st = database_statement(db,
	    item->value == NULL ?
		"DELETE FROM memory WHERE source=? AND key=?" :
		"INSERT INTO memory(source,key,value) VALUES(?,?,?) ON CONFLICT DO UPDATE SET value=excluded.value"
		" WHERE value!=excluded.value");

	statement_text(st, 1, item->source);
	statement_text(st, 2, item->key);
	if (item->value != NULL)
		statement_text(st, 3, item->value);
	return statement_run(st);
}

/* Two values into a statement of our own, run. */
static int run_with(struct database *db, const char *sql, const char *a, const char *b)
{
	struct statement *st = database_statement(db, sql);

	statement_text(st, 1, a);
	statement_text(st, 2, b);
	return statement_run(st);
}

int tables_rename(struct database *db, const char *from, const char *to)
{
	static const char join_history[] = "UPDATE history SET user=(SELECT id FROM history_users WHERE user=?1)"
					   " WHERE user=(SELECT id FROM history_users WHERE user=?2)"
					   " AND EXISTS(SELECT 1 FROM history_users WHERE user=?1)";
	/* who is called `to` may have been called so before, and have a history */
	static const char *const sql[] = {
		"DELETE FROM notes WHERE user=?2 AND ?1!=?2",
		"UPDATE OR REPLACE notes SET user=?2 WHERE user=?1",
		join_history,
		"DELETE FROM history_users WHERE user=?2 AND EXISTS(SELECT 1 FROM history_users WHERE user=?1)",
		"UPDATE history_users SET user=?2 WHERE user=?1",
	};
	int r = 0;

	for (size_t i = 0; i < sizeof sql / sizeof *sql && r == 0; i++)
		r = run_with(db, sql[i], from, to);
	return r;
}

/* --- reading ------------------------------------------------------------------------------------- */

struct reading {
	struct database *db;
	const struct tables_reader *reader;
	void *arg;
	size_t bad;
};

static void read_entry(struct reading *g, struct statement *st)
{
	const char *fields = statement_column_text(st, 3), *field;
	struct user_fields *f = NULL;
	json_t *object = NULL;
	char why[256];

	if (json_in_object(fields, strlen(fields), &object, why, sizeof why) < 0 ||
	    user_json_read(object, statement_column_text(st, 2), NULL, &f, why, sizeof why, &field) < 0)
		g->bad++;
	else
		g->reader->entry(g->arg, statement_column_text(st, 0), statement_column_text(st, 1), f);
	json_decref(object);
}

static void read_note(struct reading *g, struct statement *st)
{
	struct note note = { .user = statement_column_text(st, 0),
		.text = statement_column_text(st, 1),
		.author = statement_column_text(st, 2),
		.at = statement_column_number(st, 3),
		.until = statement_column_number(st, 4) };

	if (notes_check(note.text, NOTE_MAX_BYTES) != NULL || notes_check(note.author, AUTHOR_MAX_BYTES) != NULL)
		g->bad++;
	else
		g->reader->note(g->arg, &note);
}

static void read_request(struct reading *g, struct statement *st)
{
	struct request_row row = { .id = statement_column_number(st, 0),
		.source = statement_column_text(st, 1),
		.address = statement_column_text(st, 2),
		.name = statement_column_text(st, 3),
		.text = statement_column_text(st, 4),
		.at = statement_column_number(st, 5) };

	if (row.id <= 0)
		g->bad++;
	else
		g->reader->request(g->arg, &row);
}

static void read_memory(struct reading *g, struct statement *st)
{
	struct recall_item item = { statement_column_text(st, 0), statement_column_text(st, 1),
		statement_column_text(st, 2) };

	g->reader->memory(g->arg, &item);
}

static const struct {
	const char *sql;
	int texts; /* columns of text that must be there */
	int first;
	void (*read)(struct reading *g, struct statement *st);
} readers[] = {
	{ "SELECT origin,key,user,fields FROM entries ORDER BY origin,key", 4, 0, read_entry },
	{ "SELECT user,text,author,at,until FROM notes", 3, 0, read_note },
	{ "SELECT id,source,address,name,text,at FROM requests ORDER BY id", 2, 1, read_request },
	{ "SELECT source,key,value FROM memory", 3, 0, read_memory },
};

static bool has_texts(struct statement *st, int first, int count)
{
	for (int i = first; i < first + count; i++)
		if (statement_column_text(st, i) == NULL)
			return false;
	return true;
}

int tables_read(struct database *db, const struct tables_reader *reader, void *arg, size_t *ret_bad)
{
	struct reading g = { .db = db, .reader = reader, .arg = arg };
	int r = 0;

	for (size_t i = 0; i < sizeof readers / sizeof *readers && r == 0; i++) {
		struct statement *st = database_statement(db, readers[i].sql);

		while ((r = statement_step(st)) == 1) {
			if (has_texts(st, readers[i].first, readers[i].texts))
				readers[i].read(&g, st);
			else
				g.bad++;
		}
	}
	*ret_bad = g.bad;
	return r;
}
