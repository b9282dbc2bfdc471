/* reload.c: a reload in three steps: parse the users aside; when they may be taken, apply the configuration; take them.
 * SPDX-License-Identifier: MIT */
#include "daemon/reload.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/logger.h"
#include "daemon/console/console.h"
#include "daemon/service.h"
#include "daemon/users_file.h"

#define SLICE_BYTES (64 * 1024) /* of users.csv, parsed in one turn: below 5 ms */
#define TEXT_BYTES  (256 * 1024)

struct reload {
	struct config *config; /* new; NULL once it is applied */
	struct users_file *users;
	struct sync *sync;     /* of the users, while they are parsed */
	struct durable_op *op; /* then: takes them */
	bool force;
	struct buf errors, warnings;
	struct reload_done done;
};

static void log_summary(const struct sync_counts *c)
{
	log_info("directory", "read", LOG_NUMBER("added", (int64_t)c->added),
	    LOG_NUMBER("changed", (int64_t)c->changed), LOG_NUMBER("removed", (int64_t)c->removed),
	    LOG_NUMBER("unchanged", (int64_t)c->unchanged));
}

int reload_users_at_start(struct daemon *d, struct buf *errors)
{
	struct sync *sync = durable_new_file_sync(d->durable);
	struct users_file *users = NULL;
	struct sync_counts counts;
	int r = sync == NULL ? -ENOMEM : users_file_open(&users, d->config->users, sync, errors);

	if (r == 0)
		while ((r = users_file_parse(users, SIZE_MAX)) > 0)
			;
	users_file_free(users);
	if (r < 0) {
		sync_free(sync);
		return r;
	}
	durable_take_file_now(d->durable, sync, &counts);
	if (durable_status(d->durable) == STORE_STATUS_OK)
		durable_prune_notes(d->durable);
	log_summary(&counts);
	return 0;
}

void reload_free(struct daemon *d)
{
	struct reload *r = d->reload;

	if (r == NULL)
		return;
	d->reload = NULL;
	users_file_free(r->users);
	durable_drop_sync(d->durable, r->sync);
	if (r->op != NULL)
		durable_forget(r->op);
	config_free(r->config);
	buf_done(&r->errors);
	buf_done(&r->warnings);
	free(r);
}

/* Tell who asked, and be over. */
static void finish(struct daemon *d, bool good, const struct sync_counts *users)
{
	struct reload *r = d->reload;
	const struct reload_result result = { good, users, buf_text(&r->errors), buf_text(&r->warnings) };
	struct reload_done done = r->done;

	r->done.done = NULL;
	if (done.done != NULL)
		done.done(done.arg, &result);
	reload_free(d);
	service_ready(d->service);
}

static void refuse(struct daemon *d, const struct sync_counts *users)
{
	log_error("daemon", "reload_refused", LOG_TEXT("file", d->config->file),
	    LOG_TEXT("why",
		users == NULL ? "the configuration is not good; nothing was changed" :
				"too many users would be removed; nothing was changed"));
	finish(d, false, users);
}

static bool same_state(const struct config *a, const struct config *b)
{
	return a->state == NULL || b->state == NULL ? a->state == b->state : strcmp(a->state, b->state) == 0;
}

/* The users may be taken: from here on there is no way back. */
static void apply_config(void *arg)
{
	struct daemon *d = arg;
	struct reload *r = d->reload;
	struct config *old = d->config;

	d->config = r->config;
	r->config = NULL;
	if (!same_state(old, d->config))
		buf_puts(&r->warnings, "state: another folder is used from the next start on\n");
	logger_set_level(NULL, (enum log_level)d->config->log_level);
	aggregator_configure(d->aggregator, &d->config->aggregator, loop_now(d->loop));
	daemon_configure_history(d, loop_now(d->loop));
	sources_apply(d->sources, d->config, &r->warnings);
	if (console_apply(d->console, d->config, &r->warnings) < 0)
		log_error("console", "not_listening", LOG_TEXT("why", buf_text(&r->warnings)));
	config_free(old);
	log_info("daemon", "reloaded", LOG_TEXT("file", d->config->file));
}

static void on_taken(void *arg, const struct durable_result *result)
{
	struct daemon *d = arg;

	d->reload->op = NULL;
	if (result->end != DURABLE_DONE) {
		buf_printf(
		    &d->reload->errors, "%s: %s\n", d->config->users == NULL ? "users" : d->config->users, result->why);
		refuse(d, result->counts);
		return;
	}
	log_summary(result->counts);
	if (result->counts->conflicts > 0)
		buf_printf(&d->reload->warnings, "%s: %zu users were not taken: %s\n", d->config->users,
		    result->counts->conflicts, result->why);
	finish(d, true, result->counts);
}

static void take_users(struct daemon *d)
{
	struct reload *r = d->reload;
	struct sync *sync = r->sync;

	r->sync = NULL;
	r->op = durable_take_file(d->durable, sync, r->force, apply_config, (struct durable_done){ on_taken, d });
	if (r->op != NULL)
		return;
	buf_puts(&r->errors, "no memory\n");
	refuse(d, NULL);
}

bool reload_run(struct daemon *d)
{
	int r;

	if (d->reload == NULL || d->reload->op != NULL)
		return false;
	r = users_file_parse(d->reload->users, SLICE_BYTES);
	if (r < 0)
		refuse(d, NULL);
	else if (r == 0)
		take_users(d);
	return d->reload != NULL;
}

bool daemon_reload(struct daemon *d, bool force, struct reload_done done)
{
	struct reload *r = d->reload != NULL ? NULL : calloc(1, sizeof *r);

	if (r == NULL)
		return false;
	service_reloading(d->service);
	d->reload = r;
	r->done = done;
	r->force = force;
	buf_init(&r->errors, TEXT_BYTES);
	buf_init(&r->warnings, TEXT_BYTES);
	r->sync = durable_new_file_sync(d->durable);
	if (r->sync == NULL || config_load(d->config->file, &r->config, &r->errors, &r->warnings) < 0 ||
	    users_file_open(&r->users, r->config->users, r->sync, &r->errors) < 0)
		refuse(d, NULL);
	return true;
}

void daemon_reload_forget(struct daemon *d, const void *arg)
{
	if (d->reload != NULL && d->reload->done.arg == arg)
		d->reload->done.done = NULL;
}
