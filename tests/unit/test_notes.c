/* test_notes.c: notes by user and by their ends.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/base/buf.h"
#include "daemon/base/instant.h"
#include "daemon/notes.h"

#define NOON INT64_C(1795176000000) /* 2026-11-20T12:00:00Z */

static struct notes *notes;
static struct buf told; /* "alice=text ", "alice=- " as it is when it is told */

static void on_changed(void *arg, const char *user)
{
	const struct note *note = notes_find(notes, user);

	assert_ptr_equal(arg, &told);
	buf_printf(&told, "%s=%s ", user, note == NULL ? "-" : note->text);
}

static int setup(void **state)
{
	(void)state;
	buf_init(&told, 1 << 20);
	notes = notes_new(on_changed, &told);
	return notes == NULL;
}

static int teardown(void **state)
{
	(void)state;
	notes_free(notes);
	buf_done(&told);
	return 0;
}

static void set(const char *user, const char *text, int64_t until)
{
	assert_int_equal(notes_set(notes, &(struct note){ user, text, "reception", NOON, until }), 0);
}

static void assert_told_at(const char *expected, const char *file, int line)
{
	_assert_string_equal(buf_text(&told), expected, file, line);
	buf_clear(&told);
}
#define assert_told(expected) assert_told_at(expected, __FILE__, __LINE__)

static void assert_written_at(const char *user, const char *expected, const char *file, int line)
{
	struct buf b;

	buf_init(&b, 4096);
	notes_write(notes, user, &b);
	_assert_string_equal(buf_text(&b), expected, file, line);
	buf_done(&b);
}
#define assert_written(user, expected) assert_written_at(user, expected, __FILE__, __LINE__)

static void a_user_has_the_last_note_that_was_set(void **state)
{
	char text[] = "lunch";

	(void)state;
	set("alice", text, 0);
	text[0] = 'p'; /* it was copied */
	set("bob", "out", 0);
	assert_told("alice=lunch bob=out ");
	set("alice", "back at three", NOON + 1);
	assert_told("alice=back at three ");
	assert_int_equal(notes_count(notes), 2);
	assert_string_equal(notes_find(notes, "alice")->text, "back at three");
	assert_string_equal(notes_find(notes, "alice")->author, "reception");
	assert_int_equal(notes_find(notes, "alice")->at, NOON);
	assert_null(notes_find(notes, "carol"));
}

static void cleared_note_is_gone_when_it_is_told(void **state)
{
	(void)state;
	set("alice", "lunch", NOON + 1);
	buf_clear(&told);
	assert_true(notes_clear(notes, "alice"));
	assert_told("alice=- ");
	assert_false(notes_clear(notes, "alice"));
	assert_told("");
	assert_int_equal(notes_count(notes), 0);
	assert_int_equal(notes_end(notes), INSTANT_NEVER);
}

static void note_may_be_set_from_itself(void **state)
{
	struct note note;

	(void)state;
	set("alice", "lunch", NOON + 5);
	note = *notes_find(notes, "alice");
	note.until = 0;
	assert_int_equal(notes_set(notes, &note), 0);
	assert_string_equal(notes_find(notes, "alice")->text, "lunch");
	assert_int_equal(notes_end(notes), INSTANT_NEVER);
	assert_true(notes_clear(notes, notes_find(notes, "alice")->user));
}

static void notes_end_in_the_order_of_their_ends(void **state)
{
	(void)state;
	assert_int_equal(notes_end(notes), INSTANT_NEVER);
	set("alice", "a", NOON + 30);
	set("bob", "b", NOON + 10);
	set("carol", "c", 0);
	set("dora", "d", NOON + 10);
	assert_int_equal(notes_end(notes), NOON + 10);
	assert_null(notes_ended(notes, NOON + 9));
	assert_string_equal(notes_ended(notes, NOON + 10)->user, "bob");
	notes_clear(notes, "bob");
	assert_string_equal(notes_ended(notes, NOON + 100)->user, "dora");
	set("dora", "d", NOON + 50); /* put off */
	assert_string_equal(notes_ended(notes, NOON + 100)->user, "alice");
	notes_clear(notes, "alice");
	notes_clear(notes, "dora");
	assert_null(notes_ended(notes, INT64_MAX));
	assert_int_equal(notes_count(notes), 1);
}

static void note_goes_with_the_user_who_is_renamed(void **state)
{
	(void)state;
	set("alice", "lunch", NOON + 1);
	set("carol", "of nobody any more", 0);
	buf_clear(&told);
	assert_true(notes_rename(notes, "alice", "carol"));
	assert_told("carol=lunch alice=- ");
	assert_int_equal(notes_find(notes, "carol")->until, NOON + 1);
	assert_int_equal(notes_count(notes), 1);
	/* who has none takes none, and the note that was kept for the id is not theirs */
	assert_true(notes_rename(notes, "dora", "carol"));
	assert_told("carol=- ");
	assert_int_equal(notes_count(notes), 0);
	assert_false(notes_rename(notes, "dora", "carol"));
}

static void walk_is_in_order_of_ids(void **state)
{
	static const char *const sorted[] = { "Z", "a", "aa", "b" };
	const struct note *note;
	size_t i = 0;

	(void)state;
	set("b", "x", 0);
	set("a", "x", 5);
	set("Z", "x", 0);
	set("aa", "x", 4);
	for (note = notes_after(notes, ""); note != NULL; note = notes_after(notes, note->user))
		assert_string_equal(note->user, sorted[i++]);
	assert_int_equal(i, 4);
	assert_string_equal(notes_after(notes, "a0")->user, "aa");
}

static void who_has_no_note_is_known_to_have_none_when_they_were_read(void **state)
{
	(void)state;
	assert_written("alice", "");
	set("bob", "say \"hi\"", 0);
	assert_written("bob",
	    "\"note\":{\"text\":\"say \\\"hi\\\"\",\"author\":\"reception\","
	    "\"at\":\"2026-11-20T12:00:00.000Z\",\"until\":null}");
	notes_set_known(notes);
	assert_written("alice", "\"note\":null");
	set("alice", "x", NOON + 60000);
	assert_written("alice",
	    "\"note\":{\"text\":\"x\",\"author\":\"reception\",\"at\":\"2026-11-20T12:00:00.000Z\","
	    "\"until\":\"2026-11-20T12:01:00.000Z\"}");
}

static void texts_are_checked(void **state)
{
	char longest[NOTE_MAX_BYTES + 2];

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[NOTE_MAX_BYTES + 1] = '\0';
	assert_string_equal(notes_check(longest, NOTE_MAX_BYTES), "is too long");
	longest[NOTE_MAX_BYTES] = '\0';
	assert_null(notes_check(longest, NOTE_MAX_BYTES));
	assert_string_equal(notes_check("", NOTE_MAX_BYTES), "is empty");
	assert_string_equal(notes_check("a\xff", NOTE_MAX_BYTES), "is not UTF-8");
	assert_string_equal(notes_check("a\nb", NOTE_MAX_BYTES), "holds a control character");
	assert_null(notes_check("\xc3\xa4 \xf0\x9f\x8d\x95", NOTE_MAX_BYTES));
}

/* --- random -------------------------------------------------------------------------------------- */

#define USERS 12

static void random_notes_match_the_model(void **state)
{
	int64_t until[USERS];
	bool there[USERS] = { false };
	char user[8], to[8];

	(void)state;
	random_begin(__func__);
	for (int step = 0; step < 5000; step++) {
		size_t i = random_below(USERS), k = random_below(USERS), count = 0;
		int64_t first = INSTANT_NEVER;

		snprintf(user, sizeof user, "u%02zu", i % 100);
		snprintf(to, sizeof to, "u%02zu", k % 100);
		switch (random_below(4)) {
		case 0:
			assert_int_equal(notes_clear(notes, user), there[i]);
			there[i] = false;
			break;
		case 1:
			if (i == k)
				break;
			assert_int_equal(notes_rename(notes, user, to), there[i] || there[k]);
			there[k] = there[i];
			until[k] = until[i];
			there[i] = false;
			break;
		default:
			there[i] = true;
			until[i] = random_below(3) == 0 ? 0 : NOON + (int64_t)random_below(5);
			set(user, "x", until[i]);
			break;
		}
		for (size_t n = 0; n < USERS; n++) {
			count += there[n];
			if (there[n] && until[n] != 0 && until[n] < first)
				first = until[n];
		}
		assert_int_equal(notes_count(notes), count);
		assert_int_equal(notes_end(notes), first);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_user_has_the_last_note_that_was_set),
		TEST(cleared_note_is_gone_when_it_is_told),
		TEST(note_may_be_set_from_itself),
		TEST(notes_end_in_the_order_of_their_ends),
		TEST(note_goes_with_the_user_who_is_renamed),
		TEST(walk_is_in_order_of_ids),
		TEST(who_has_no_note_is_known_to_have_none_when_they_were_read),
		TEST(texts_are_checked),
		TEST(random_notes_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
