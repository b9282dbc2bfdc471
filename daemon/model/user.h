/* user.h: what the directory says of one person: columns, and where a source finds them.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_USER_H
#define PRESENCED_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_COLUMN_MAP(X) \
	X(ID, "id", "unique name of the user: 1 to 128 bytes of UTF-8 without space or control characters") \
	X(NAME, "name", "display name") \
	X(GROUPS, "groups", "groups, separated by ;") \
	X(EXTENSION, "extension", "internal numbers, separated by ;  The first is watched, all are the user's own") \
	X(SIP_URI, "sip_uri", "SIP presence address, sip:user@domain") \
	X(XMPP, "xmpp", "bare JID") \
	X(BROADWORKS, "broadworks", "BroadWorks user id") \
	X(LINE, "line", "device at the telephone switch; the extension where empty") \
	X(UPN, "upn", "user principal name") \
	X(WEBEX, "webex", "Webex address") \
	X(VOICEMAIL, "voicemail", "own voicemail number")

enum user_column {
#define X(symbol, name, help) USER_##symbol,
	USER_COLUMN_MAP(X)
#undef X
	    USER_COLUMN_COUNT
};
extern const struct vocab vocab_user_column;

#define USER_MAX_ID_BYTES     128
#define USER_MAX_FIELD_BYTES  1024
#define USER_MAX_GROUPS	      64
#define USER_MAX_OVERRIDES    32 /* as one origin says them */
#define USER_MAX_SOURCE_BYTES 64 /* of the name of a source */
#define USER_MAX_MERGED	      16 /* origins of one user */

/* COLUMN@SOURCE: another address, or "-" for none, at one source. */
struct user_override {
	uint8_t column; /* enum user_column */
	const char *source, *value;
};

/* The columns of one user as they are read; pointers borrowed. NULL and "" both mean empty. */
struct user_columns {
	const char *values[USER_COLUMN_COUNT];
	const struct user_override *overrides;
	size_t override_count;
};

/* The same, kept: immutable, one block, counted references (of one thread). */
struct user_fields;

/* Copy into one block with one reference. NULL without memory. */
struct user_fields *user_fields_new(const struct user_columns *columns);

/* Count another reference / give one back. NULL is fine in both. */
struct user_fields *user_fields_ref(struct user_fields *f);
void user_fields_unref(struct user_fields *f);

/* The columns of it; they point into it. */
void user_fields_columns(const struct user_fields *f, struct user_columns *ret);

/* A copy that names another user. NULL without memory. */
struct user_fields *user_fields_rename(const struct user_fields *f, const char *id);

/* One of several, field by field the first that has it; the id is that of the first. With one it is a reference to
 * it. At most USER_MAX_MERGED. NULL without memory. */
struct user_fields *user_fields_merge(struct user_fields *const *fields, size_t count);

bool user_fields_equal(const struct user_fields *a, const struct user_fields *b);

/* Whether a source can be called so: in COLUMN@SOURCE. */
bool user_is_source_name(const char *text);

/* NULL, or what is wrong with a column, as a sentence in buf: id missing or with a space, too long, not
 * UTF-8, control characters. */
const char *user_columns_check(const struct user_columns *columns, char *buf, size_t size);

/* A column's text, "" where empty. */
const char *user_field(const struct user_fields *f, enum user_column column);

/* Overrides, for export; *ret_count may be 0. */
const struct user_override *user_overrides(const struct user_fields *f, size_t *ret_count);

/* The address of the user at `source` by `column`: the override for that source, else the column, `line` else
 * the first extension; of several extensions the first. Written to buf; false (and "") if there is none. */
bool user_address(const struct user_fields *f, enum user_column column, const char *source, char *buf, size_t size);

/* Call `each` for every entry of a list separated by ';', blanks around entries removed, empty ones skipped.
 * Stops when it returns false. The text handed over is not NUL-terminated. */
void user_list_each(const char *list, bool (*each)(void *arg, const char *entry, size_t len), void *arg);

#endif
