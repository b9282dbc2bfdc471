/* sources.h: the core's half of every configured source: starting and stopping, status, probes, and the calls
 * between connectors and the aggregator. SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SOURCES_H
#define PRESENCED_SOURCES_H

#include "connectors/connector.h"
#include "daemon/aggregator.h"
#include "daemon/changelog.h"
#include "daemon/config.h"
#include "daemon/durable.h"
#include "daemon/loop.h"

struct sources;

#define PROBE_LIMIT_MS 10000

struct sources *sources_new(struct loop *loop, struct directory *directory);
void sources_free(struct sources *all); /* after sources_shutdown() */

/* The aggregator that gets what they say; once, before sources_apply(). sources_host is its host part: watch,
 * unwatch, verify and address with a struct source as owner. */
void sources_connect(struct sources *all, struct aggregator *aggregator);
extern const struct aggregator_host sources_host;

/* What survives for them; once, before sources_apply(). */
void sources_set_durable(struct sources *all, struct durable *durable);

/* Make the sources what `config` says. The settings of new ones are taken out of it (NULL is left there);
 * those that did not change keep their connection. Lines about what goes on, and would not if it were started
 * anew, are appended to `warnings`; NULL: not wanted. */
void sources_apply(struct sources *all, struct config *config, struct buf *warnings);

/* What is kept of the directories of sources follows the configuration. */
void sources_keep_directories(struct sources *all);

/* Stop all, for the end of the daemon. */
void sources_shutdown(struct sources *all);

struct source *sources_find(const struct sources *all, const char *name);
struct source *sources_next(const struct sources *all, const struct source *s); /* NULL: the first */

/* By command. 0, or -EINVAL with a sentence (disabled, not configured). */
int source_start(struct source *s, char *err, size_t err_size);
void source_stop(struct source *s);

/* Status of the whole (the worst of its domains), why (NULL or a sentence), and everything else as JSON
 * members. */
enum source_status source_status(const struct source *s, const char **ret_why);
void source_write(const struct source *s, struct buf *b);

/* A line of a recording: {"source", "technology", key: word, "domains", why?, "at"}. */
void source_write_line(
    const struct source *s, const char *key, const char *word, unsigned domains, const char *why, struct buf *b);

/* Look at each hop. `hop` is called for each, at the end with hop NULL and `ok` whether all were; perhaps at
 * once. A second probe while one runs: -EBUSY. */
int source_probe(struct source *s, void (*hop)(void *arg, const char *hop, const char *sentence, bool ok), void *arg);
void source_probe_forget(struct source *s, const void *arg); /* who asked is gone */

/* A directory that was refused since it would remove too many: whether there is one, and take it in (durable.h). */
bool source_holds_directory(const struct source *s);
struct durable_op *source_take_held(struct source *s, bool force, struct durable_done done);
void source_held_taken(
    struct source *s, const struct durable_result *result); /* by `done`, if the source is still there */

/* Of a request that waits, or of a user: tell the peer. 0; -ENOTCONN: not now; -ENOTSUP: it has no such thing; -ENOENT: the
 * user has no address there. The address is written to buf. */
int source_decide(struct source *s, const char *address, bool accept);
int source_contact(struct source *s, const struct user *user, bool add, char *buf, size_t size);

/* Changes of status: nodes are sources. */
struct changelog *sources_changes(struct sources *all);
struct source *sources_node_source(struct changelog_node *node);

/* For `record`: called with each status and resynchronisation as a line; NULL: nobody. */
void sources_on_line(struct sources *all, void (*line)(void *arg, const struct buf *json), void *arg);

#endif
