/* sources_durable.c: what connectors keep, whom their peers know, and who asks there.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "connectors/secret.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/sources_private.h"

/* --- memory and secrets -------------------------------------------------------------------------- */

int source_remember(struct source *s, const char *key, const char *value)
{
	return s->all->durable == NULL ? 0 : durable_remember(s->all->durable, s->config.name, key, value);
}

const char *source_recall(const struct source *s, const char *key, bool *ret_known)
{
	*ret_known = false;
	return s->all->durable == NULL ? NULL : durable_recall(s->all->durable, s->config.name, key, ret_known);
}

int source_secret(const struct source *s, const char *text, const char *file, char *buf, char *err, size_t err_size)
{
	char path[4096];
	struct stat st;

	if (s->all->durable == NULL)
		return secret_read(text, file, buf, err, err_size);
	snprintf(path, sizeof path, "%s/secrets/%s", durable_folder(s->all->durable), s->config.name);
	return secret_read(text, stat(path, &st) == 0 ? path : file, buf, err, err_size);
}

bool source_secret_differs(
    const struct source *s, const char *text, const char *file, const char *known, char *why, size_t why_size)
{
	char secret[SECRET_SIZE];
	int r;
	bool differs;

	why[0] = '\0';
	r = source_secret(s, text, file, secret, why, why_size);
	differs = r >= 0 && ((r > 0) != (known != NULL) || (known != NULL && strcmp(secret, known) != 0));
	explicit_bzero(secret, sizeof secret);
	return differs;
}

/* Who waits for a secret to be kept. */
struct secret_wait {
	void (*done)(void *arg, const char *why);
	void *arg;
};

static void on_secret(void *arg, const struct durable_result *result)
{
	struct secret_wait *w = arg;

	if (w->done != NULL)
		w->done(w->arg, result->end == DURABLE_DONE ? NULL : result->why);
	free(w);
}

int source_set_secret(struct source *s, const char *secret, void (*done)(void *arg, const char *why), void *arg)
{
	struct secret_wait *w = s->all->durable == NULL ? NULL : calloc(1, sizeof *w);

	if (w == NULL)
		return -ENOMEM;
	*w = (struct secret_wait){ done, arg };
	if (durable_set_secret(s->all->durable, s->config.name, secret, (struct durable_done){ on_secret, w }) != NULL)
		return 0;
	free(w);
	return -ENOMEM;
}

/* --- directories --------------------------------------------------------------------------------- */

void source_directory_abort(struct source *s)
{
	if (s->staging != NULL)
		durable_drop_sync(s->all->durable, s->staging);
	s->staging = NULL;
}

void source_directory_drop(struct source *s)
{
	source_directory_abort(s);
	if (s->taking != NULL)
		durable_forget(s->taking);
	s->taking = NULL;
}

int source_directory_begin(struct source *s)
{
	if (!s->config.directory_use || s->all->durable == NULL)
		return -EPERM;
	sync_free(s->staging);
	s->staging =
	    durable_new_source_sync(s->all->durable, s->config.name, s->config.position, &s->config.directory_match);
	return s->staging == NULL ? -ENOMEM : 0;
}

int source_directory_entry(struct source *s, const char *key, struct user_fields *fields)
{
	if (s->staging != NULL)
		return sync_add(s->staging, key, fields);
	user_fields_unref(fields);
	return s->config.directory_use ? -EINVAL : -EPERM;
}

static void log_taken(const struct source *s, const struct durable_result *result)
{
	const struct directory_outcome *o = &s->taken;

	if (s->taken_why != NULL)
		log_error("directory", "refused", LOG_TEXT("source", s->config.name), LOG_TEXT("why", s->taken_why));
	else
		log_info("directory", "taken", LOG_TEXT("source", s->config.name),
		    LOG_NUMBER("added", (int64_t)o->added), LOG_NUMBER("changed", (int64_t)o->changed),
		    LOG_NUMBER("removed", (int64_t)o->removed), LOG_NUMBER("unchanged", (int64_t)o->unchanged));
	if (o->conflicts > 0)
		log_warning("directory", "conflicts", LOG_TEXT("source", s->config.name),
		    LOG_NUMBER("entries", (int64_t)o->conflicts), LOG_TEXT("first", result->why));
}

static void note_outcome(struct source *s, const struct durable_result *result)
{
	const struct sync_counts *c = result->counts;

	free(s->taken_why);
	s->taken_why = result->end == DURABLE_DONE ? NULL : strdup(result->why == NULL ? "" : result->why);
	s->taken = (struct directory_outcome){ .why = s->taken_why };
	if (c != NULL)
		s->taken = (struct directory_outcome){ c->added, c->changed, c->unchanged, c->removed, c->conflicts,
			s->taken_why };
	log_taken(s, result);
}

static void on_taken(void *arg, const struct durable_result *result)
{
	struct source *s = arg;

	s->taking = NULL;
	note_outcome(s, result);
	source_changed(s);
	if (s->connector != NULL && s->type->directory_taken != NULL)
		s->type->directory_taken(s->connector, &s->taken);
}

int source_directory_end(struct source *s, bool complete)
{
	struct sync *sync = s->staging;

	if (sync == NULL)
		return -EINVAL;
	s->staging = NULL;
	if (s->taking != NULL)
		durable_forget(s->taking); /* the newer one is told of */
	s->taking =
	    durable_take_source(s->all->durable, s->config.name, sync, complete, (struct durable_done){ on_taken, s });
	return s->taking == NULL ? -ENOMEM : 0;
}

bool source_holds_directory(const struct source *s)
{
	return s->all->durable != NULL && s->config.directory_use && durable_holds(s->all->durable, s->config.name);
}

struct durable_op *source_take_held(struct source *s, bool force, struct durable_done done)
{
	return durable_take_held(s->all->durable, s->config.name, force, done);
}

void source_held_taken(struct source *s, const struct durable_result *result)
{
	note_outcome(s, result);
	source_changed(s);
}

void source_write_directory(const struct source *s, struct buf *b)
{
	jsonw_object(b, "directory");
	jsonw_int(b, "added", (int64_t)s->taken.added);
	jsonw_int(b, "changed", (int64_t)s->taken.changed);
	jsonw_int(b, "unchanged", (int64_t)s->taken.unchanged);
	jsonw_int(b, "removed", (int64_t)s->taken.removed);
	jsonw_int(b, "conflicts", (int64_t)s->taken.conflicts);
	if (s->taken_why != NULL)
		jsonw_text(b, "refused", s->taken_why);
	jsonw_object_end(b);
}

/* --- people who ask, and whom we ask ------------------------------------------------------------- */

int source_request_arrived(struct source *s, const char *address, const char *name, const char *text)
{
	return s->all->durable == NULL ? 0 : durable_request(s->all->durable, s->config.name, address, name, text);
}

void source_request_withdrawn(struct source *s, const char *address)
{
	if (s->all->durable != NULL)
		durable_withdraw(s->all->durable, s->config.name, address);
}

int source_decide(struct source *s, const char *address, bool accept)
{
	if (s->connector == NULL)
		return -ENOTCONN;
	return s->type->decide == NULL ? -ENOTSUP : s->type->decide(s->connector, address, accept);
}

int source_contact(struct source *s, const struct user *user, bool add, char *buf, size_t size)
{
	if (s->type->contact == NULL)
		return -ENOTSUP;
	if (!sources_host.address(s, user->fields, DOMAIN_RICH, buf, size))
		return -ENOENT;
	return s->connector == NULL ? -ENOTCONN : s->type->contact(s->connector, buf, add);
}
