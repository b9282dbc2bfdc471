/* ctl.h: what every command of presencectl has: its table row, its context, and shared output.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CTL_H
#define PRESENCED_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/client.h"
#include "daemon/base/buf.h"

enum { EXIT_FINE = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

struct ctl {
	const char *socket;
	bool json;
};

struct command {
	const char *name;
	const char *arguments;					  /* "USER..." */
	const char *help;					  /* a sentence */
	int min_arguments, max_arguments;			  /* -1: any number */
	int (*run)(const struct ctl *ctl, int argc, char **argv); /* argv[0] is the command; returns the exit status */
};
extern const struct command commands[]; /* ended by name NULL */

int cmd_status(const struct ctl *ctl, int argc, char **argv);
int cmd_list(const struct ctl *ctl, int argc, char **argv);
int cmd_get(const struct ctl *ctl, int argc, char **argv);
int cmd_watch(const struct ctl *ctl, int argc, char **argv);
int cmd_explain(const struct ctl *ctl, int argc, char **argv);
int cmd_subscribe(const struct ctl *ctl, int argc, char **argv);
int cmd_doctor(const struct ctl *ctl, int argc, char **argv);
int cmd_source(const struct ctl *ctl, int argc, char **argv);
int cmd_compose(const struct ctl *ctl, int argc, char **argv);
int cmd_decode(const struct ctl *ctl, int argc, char **argv);
int cmd_record(const struct ctl *ctl, int argc, char **argv);
int cmd_replay(const struct ctl *ctl, int argc, char **argv);
int cmd_reload(const struct ctl *ctl, int argc, char **argv);
int cmd_log(const struct ctl *ctl, int argc, char **argv);
int cmd_note(const struct ctl *ctl, int argc, char **argv);
int cmd_history(const struct ctl *ctl, int argc, char **argv);
int cmd_users(const struct ctl *ctl, int argc, char **argv);
int cmd_requests(const struct ctl *ctl, int argc, char **argv);
int cmd_contacts(const struct ctl *ctl, int argc, char **argv);
int cmd_help(const struct ctl *ctl, int argc, char **argv);

/* The types of sources there are. */
int source_types(void);

/* What a command does, by its first argument: "set" of "note set". */
struct verb {
	const char *name;
	int (*run)(const struct ctl *ctl, int argc, char **argv); /* argv[0] is the verb; returns the exit status */
};

/* Run the verb that argv[1] names, of a table that is ended by name NULL; argv[0] is the command. */
int run_verb(const struct verb *verbs, const struct ctl *ctl, int argc, char **argv);

/* Options were taken: EXIT_FINE, or EXIT_USAGE after saying that an argument looks like one, or is not UTF-8. */
int check_words(const struct command *command, int argc, char **argv);

/* One call whose answer is printed by `print` (NULL: nothing), or as JSON; takes `params`. The exit status. */
int ask(const struct ctl *ctl, const char *method, json_t *params, void (*print)(const json_t *result));

/* "presencectl: ..." on standard error; returns EXIT_USAGE. */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
const struct command *command_find(const char *name);

/* An option "--name VALUE" or "--name=VALUE" taken out of argv; NULL if it is not there. *argc shrinks. */
const char *take_option(int *argc, char **argv, const char *name);
bool take_flag(int *argc, char **argv, const char *name);

/* Print a value as one line. */
void print_json(const json_t *value);

/* Text of a member, "" if there is none. */
const char *text_of(const json_t *object, const char *key);

/* "3 added, 1 changed, 5 unchanged, 0 removed" on a line, of what was done with users; conflicts if there are any. */
void print_counts(const json_t *counts);

/* A composed presence in words: 'busy, meeting "Board room" (sip)' and 'line idle, forwarded to 2099 (tapi)'. */
void describe_rich(const json_t *rich, struct buf *b);
void describe_telephony(const json_t *telephony, struct buf *b);

/* 'note "back at three" (reception)', nothing where nobody wrote one; `ends` with when it ends. */
void describe_note(const json_t *note, bool ends, struct buf *b);

/* One line of a change: time, user, overall, both halves, the note. */
void print_change(const struct ctl *ctl, const json_t *presence);

#endif
