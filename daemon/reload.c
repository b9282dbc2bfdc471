/* reload.c: a reload in three steps: parse the users aside, apply the configuration, apply the users.
 * SPDX-License-Identifier: MIT */
#include "daemon/reload.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/base/logger.h"
#include "daemon/console/console.h"
#include "daemon/service.h"
#include "daemon/users_file.h"

#define SLICE_BYTES (64 * 1024) /* of users.csv, parsed in one turn: below 5 ms */
#define SLICE_USERS 500		/* applied in one turn */
#define TEXT_BYTES  (256 * 1024)

struct reload {
	struct config *config; /* new; NULL once it is applied */
	struct users_file *users;
	struct buf errors, warnings;
	struct reload_done done;
};

static void log_summary(const struct directory_summary *s)
{
	log_info("directory", "read", LOG_NUMBER("added", (int64_t)s->added),
	    LOG_NUMBER("changed", (int64_t)s->changed), LOG_NUMBER("removed", (int64_t)s->removed),
	    LOG_NUMBER("unchanged", (int64_t)s->unchanged));
}

int reload_users_at_start(struct daemon *d, struct buf *errors)
{
	struct directory_summary summary = { 0 };
	struct users_file *users;
	int r = users_file_open(&users, d->config->users, d->directory, errors);

	if (r < 0)
		return r;
	while ((r = users_file_parse(users, SIZE_MAX)) > 0)
		;
	if (r == 0) {
		while (users_file_apply(users, SIZE_MAX, &summary))
			;
		log_summary(&summary);
	}
	users_file_free(users);
	return r;
}

void reload_free(struct daemon *d)
{
	struct reload *r = d->reload;

	if (r == NULL)
		return;
	d->reload = NULL;
	users_file_free(r->users);
	config_free(r->config);
	buf_done(&r->errors);
	buf_done(&r->warnings);
	free(r);
}

/* Tell who asked; once. */
static void tell(struct reload *r, bool ok)
{
	if (r->done.done != NULL)
		r->done.done(r->done.arg, ok, buf_text(&r->errors), buf_text(&r->warnings));
	r->done.done = NULL;
}

static void refuse(struct daemon *d)
{
	log_error("daemon", "reload_refused", LOG_TEXT("file", d->config->file),
	    LOG_TEXT("why", "the configuration is not good; nothing was changed"));
	tell(d->reload, false);
	reload_free(d);
	service_ready(d->service);
}

static void apply_config(struct daemon *d)
{
	struct reload *r = d->reload;
	struct config *old = d->config;

	d->config = r->config;
	r->config = NULL;
	logger_set_level(NULL, (enum log_level)d->config->log_level);
	aggregator_configure(d->aggregator, &d->config->aggregator, loop_now(d->loop));
	sources_apply(d->sources, d->config, &r->warnings);
	if (console_apply(d->console, d->config, &r->warnings) < 0)
		log_error("console", "not_listening", LOG_TEXT("why", buf_text(&r->warnings)));
	config_free(old);
	log_info("daemon", "reloaded", LOG_TEXT("file", d->config->file));
}

static void apply_users(struct daemon *d)
{
	struct directory_summary summary = { 0 };

	if (users_file_apply(d->reload->users, SLICE_USERS, &summary))
		return;
	log_summary(&summary);
	tell(d->reload, true);
	reload_free(d);
	service_ready(d->service);
}

bool reload_run(struct daemon *d)
{
	int r;

	if (d->reload == NULL)
		return false;
	if (d->reload->config == NULL) {
		apply_users(d);
		return d->reload != NULL;
	}
	r = users_file_parse(d->reload->users, SLICE_BYTES);
	if (r < 0)
		refuse(d);
	else if (r == 0)
		apply_config(d);
	return d->reload != NULL;
}

bool daemon_reload(struct daemon *d, struct reload_done done)
{
	struct reload *r = d->reload != NULL ? NULL : calloc(1, sizeof *r);

	if (r == NULL)
		return false;
	service_reloading(d->service);
	d->reload = r;
	r->done = done;
	buf_init(&r->errors, TEXT_BYTES);
	buf_init(&r->warnings, TEXT_BYTES);
	if (config_load(d->config->file, &r->config, &r->errors, &r->warnings) < 0 ||
	    users_file_open(&r->users, r->config->users, d->directory, &r->errors) < 0)
		refuse(d);
	return true;
}

void daemon_reload_forget(struct daemon *d, const void *arg)
{
	if (d->reload != NULL && d->reload->done.arg == arg)
		d->reload->done.done = NULL;
}
