/* console.c: the listening sockets, who may connect, and the work at the end of each turn.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/console.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/logger.h"
#include "daemon/console/connection.h"
#include "daemon/console/events.h"
#include "daemon/console/methods.h"
#include "daemon/console/recorder.h"
#include "daemon/console/ring.h"
#include "daemon/console/subscription.h"

#define RING_BYTES	(4 * 1024 * 1024)
#define TURN_MS		5    /* for readers, in one turn, before descriptors are looked at again */
#define RETRY_ACCEPT_MS 1000 /* after running out of descriptors */
#define MAX_PEER_GROUPS 1024
#define IMPORT_IDLE_MS	60000

/* One listening socket. */
struct listener {
	LIST_ENTRY(listener) link;
	struct console *console;
	struct config_console config; /* shallow copy of the daemon's configuration; replaced by reload */
	int fd;
	struct loop_event *event, *retry;
	uid_t *uids; /* of config.peer_uids, as numbers: no name is looked up while the loop runs */
	gid_t *gids;
	size_t uid_count, gid_count;
	bool kept; /* by the reload that runs */
};

struct console {
	struct daemon *daemon;
	LIST_HEAD(, listener) listeners;
	LIST_HEAD(, connection) connections;
	size_t connection_count, recorder_count;
	struct ring rings[PRESENCE_VARIANTS];
	struct console_counters counters;
	uint64_t users_seen, sources_seen, requests_seen; /* events up to here were handed to who follows them */
	bool events_behind;				  /* somebody who follows them has not got all */
	bool settled;					  /* presence.get may be waiting for this */
	struct connection *importer;			  /* it stages users; NULL nobody */
	int64_t imported_at;				  /* mono: its last line */
};

struct console *console_new(struct daemon *d)
{
	struct console *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->daemon = d;
	LIST_INIT(&c->listeners);
	LIST_INIT(&c->connections);
	for (int i = 0; i < PRESENCE_VARIANTS; i++) {
		if (ring_init(&c->rings[i], RING_BYTES) < 0) {
			console_free(c);
			return NULL;
		}
	}
	return c;
}

/* --- permissions --------------------------------------------------------------------------------- */

static bool number_of(const char *text, unsigned long *ret)
{
	char *end;

	*ret = strtoul(text, &end, 10);
	return *text != '\0' && *end == '\0';
}

/* Names to numbers; one that nobody has is left out, and said. */
static int resolve_peers(struct listener *l)
{
	const struct option_list *uids = &l->config.peer_uids, *gids = &l->config.peer_gids;
	unsigned long number;

	l->uids = calloc(uids->count + 1, sizeof *l->uids);
	l->gids = calloc(gids->count + 1, sizeof *l->gids);
	if (l->uids == NULL || l->gids == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < uids->count; i++) {
		const struct passwd *pw = getpwnam(uids->items[i]);

		if (pw != NULL || number_of(uids->items[i], &number))
			l->uids[l->uid_count++] = pw != NULL ? pw->pw_uid : (uid_t)number;
		else
			log_warning("console", "unknown_account", LOG_TEXT("name", uids->items[i]));
	}
	for (size_t i = 0; i < gids->count; i++) {
		const struct group *gr = getgrnam(gids->items[i]);

		if (gr != NULL || number_of(gids->items[i], &number))
			l->gids[l->gid_count++] = gr != NULL ? gr->gr_gid : (gid_t)number;
		else
			log_warning("console", "unknown_group", LOG_TEXT("name", gids->items[i]));
	}
	return 0;
}

static bool has_gid(const struct listener *l, gid_t gid)
{
	for (size_t i = 0; i < l->gid_count; i++)
		if (l->gids[i] == gid)
			return true;
	return false;
}

static bool is_admitted(const struct listener *l, int fd, const struct unix_peer *peer)
{
	gid_t gids[MAX_PEER_GROUPS];
	socklen_t len = sizeof gids;

	if (l->config.peer_uids.count == 0 && l->config.peer_gids.count == 0)
		return true;
	for (size_t i = 0; i < l->uid_count; i++)
		if (l->uids[i] == peer->uid)
			return true;
	if (has_gid(l, peer->gid))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof *gids; i++)
		if (has_gid(l, gids[i]))
			return true;
	return false;
}

static bool is_administrator(const struct unix_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

/* --- accepting ----------------------------------------------------------------------------------- */

static size_t connections_of(const struct console *c, uid_t uid)
{
	const struct connection *o;
	size_t n = 0;

	LIST_FOREACH (o, &c->connections, link)
		n += o->peer.uid == uid;
	return n;
}

static void turn_away(int fd, const char *code_and_message)
{
	char line[512];
	int n = snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{%s}}\n", code_and_message);

	if (write(fd, line, (size_t)n) < 0) {
		/* it has gone already */
	}
	close(fd);
}

static void welcome(struct listener *l, int fd)
{
	struct console *c = l->console;
	const struct config_limits *limits = &c->daemon->config->limits;
	struct unix_peer peer = unix_socket_peer(fd);
	bool administrator = is_administrator(&peer);
	unsigned permissions = administrator ? (1u << PERMISSION_COUNT) - 1 : (unsigned)l->config.permissions;
	struct connection *connection;

	if (!administrator && !is_admitted(l, fd, &peer)) {
		turn_away(fd, "\"code\":-32001,\"message\":\"This account is not among the peers of this socket.\"");
		log_warning("console", "refused", LOG_NUMBER("uid", peer.uid), LOG_NUMBER("pid", peer.pid),
		    LOG_TEXT("socket", l->config.socket), LOG_TEXT("why", "not among its peers"));
		return;
	}
	if (c->connection_count >= (size_t)limits->connections ||
	    (!administrator && connections_of(c, peer.uid) >= (size_t)limits->connections_per_uid)) {
		turn_away(fd,
		    "\"code\":-32003,\"message\":\"There are too many connections already.\","
		    "\"data\":{\"limit\":\"connections\"}");
		log_warning("console", "refused", LOG_NUMBER("uid", peer.uid), LOG_NUMBER("pid", peer.pid),
		    LOG_TEXT("socket", l->config.socket), LOG_TEXT("why", "limits.connections or connections_per_uid"));
		return;
	}
	connection = connection_new(c->daemon, c, fd, peer, permissions);
	if (connection == NULL)
		return;
	connection->listener = l;
	LIST_INSERT_HEAD(&c->connections, connection, link);
	c->connection_count++;
	log_debug("console", "connected", LOG_NUMBER("pid", peer.pid), LOG_NUMBER("uid", peer.uid));
}

static void on_connection(void *arg, short what)
{
	struct listener *l = arg;
	int fd;

	(void)what;
	loop_event_arm(l->event);
	for (int i = 0; i < 64; i++) {
		fd = unix_socket_accept(l->fd);
		if (fd >= 0) {
			welcome(l, fd);
			continue;
		}
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
			log_warning("console", "cannot_accept", LOG_TEXT("socket", l->config.socket),
			    LOG_TEXT("why", strerror(-fd)));
			loop_event_disarm(l->event); /* it would wake us again and again */
			loop_event_arm_in(l->retry, RETRY_ACCEPT_MS);
		}
		return;
	}
}

static void on_accept_retry(void *arg, short what)
{
	(void)what;
	loop_event_arm(((struct listener *)arg)->event);
}

/* --- sockets ------------------------------------------------------------------------------------- */

static void listener_free(struct listener *l)
{
	loop_event_free(l->event);
	loop_event_free(l->retry);
	unix_socket_close(l->fd, l->config.socket);
	free(l->config.socket);
	free(l->uids);
	free(l->gids);
	free(l);
}

/* Who came in by it has what it gave: permissions that may be gone now. Administrators have theirs from elsewhere. */
static void listener_close(struct listener *l)
{
	struct connection *connection, *next;

	for (connection = LIST_FIRST(&l->console->connections); connection != NULL; connection = next) {
		next = LIST_NEXT(connection, link);
		if (connection->listener != l)
			continue;
		connection->listener = NULL;
		if (!is_administrator(&connection->peer))
			connection_close(connection, "this socket is configured differently now; connect again");
	}
	LIST_REMOVE(l, link);
	listener_free(l);
}

static int listener_open(struct console *c, const struct config_console *config, struct buf *errors)
{
	struct listener *l = calloc(1, sizeof *l);
	char why[512] = "no memory";
	int r = -ENOMEM;

	if (l == NULL)
		return -ENOMEM;
	*l = (struct listener){ .console = c, .config = *config, .fd = -1, .kept = true };
	l->config.socket = strdup(config->socket);
	if (l->config.socket == NULL || resolve_peers(l) < 0)
		goto fail;
	r = l->fd = unix_socket_listen(config->socket, config->group, config->mode, why, sizeof why);
	if (r < 0)
		goto fail;
	r = -ENOMEM;
	l->event = loop_event_new(c->daemon->loop, "console-accept", l->fd, EV_READ, on_connection, l);
	l->retry = loop_event_new(c->daemon->loop, "console-accept-retry", -1, 0, on_accept_retry, l);
	if (l->event == NULL || l->retry == NULL)
		goto fail;
	LIST_INSERT_HEAD(&c->listeners, l, link);
	loop_event_arm(l->event);
	log_info("console", "listening", LOG_TEXT("socket", config->socket));
	return 0;
fail:
	buf_printf(errors, "%s\n", why);
	listener_free(l);
	return r;
}

/* The listener of this socket takes the new configuration over, if the file itself stays as it is. */
static bool keep(struct console *c, const struct config_console *config)
{
	struct listener *l;

	LIST_FOREACH (l, &c->listeners, link) {
		char *path = l->config.socket;

		if (strcmp(path, config->socket) != 0 || !config_console_same(&l->config, config))
			continue;
		l->config = *config;
		l->config.socket = path;
		l->kept = true;
		return true;
	}
	return false;
}

int console_apply(struct console *c, const struct config *config, struct buf *errors)
{
	struct listener *l, *next;
	bool kept[CONFIG_MAX_CONSOLES] = { false };
	int result = 0;

	LIST_FOREACH (l, &c->listeners, link)
		l->kept = false;
	for (size_t i = 0; i < config->console_count; i++)
		kept[i] = keep(c, &config->consoles[i]);
	for (l = LIST_FIRST(&c->listeners); l != NULL; l = next) {
		next = LIST_NEXT(l, link);
		if (!l->kept)
			listener_close(l);
	}
	for (size_t i = 0; i < config->console_count; i++) {
		int r = kept[i] ? 0 : listener_open(c, &config->consoles[i], errors);

		result = result < 0 ? result : r;
	}
	return result;
}

void console_goodbye(struct console *c)
{
	while (!LIST_EMPTY(&c->connections))
		connection_close(LIST_FIRST(&c->connections), "presenced is stopping");
}

void console_free(struct console *c)
{
	if (c == NULL)
		return;
	console_goodbye(c);
	while (!LIST_EMPTY(&c->listeners))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it leaves the list */
		listener_close(LIST_FIRST(&c->listeners));
	for (int i = 0; i < PRESENCE_VARIANTS; i++)
		ring_done(&c->rings[i]);
	free(c);
}

/* --- the end of a turn --------------------------------------------------------------------------- */

/* Each reader once, as long as the turn may last; who has more to read comes again after the others. */
static bool run_readers(struct console *c)
{
	int64_t end = instant_now().mono + TURN_MS;
	size_t count = interest_queued(c->daemon->interest);
	struct reader *r;

	for (; count > 0 && (r = interest_first(c->daemon->interest)) != NULL; count--) {
		struct connection *connection = connection_of_reader(r);

		reader_unqueue(r);
		if (connection->closed || connection->subscription == NULL ||
		    subscription_reader(connection->subscription) != r)
			continue; /* it was replaced, and is kept only to compare with */
		if (subscription_run(connection->subscription))
			reader_queue(r, 0);
		if (count % 16 == 0 && instant_now().mono >= end) /* reading the clock for each would be felt */
			break;
	}
	return interest_first(c->daemon->interest) != NULL;
}

/* Sets events_behind while somebody has not got all. True: somebody could get more at once. */
static bool run_events(struct console *c)
{
	struct connection *connection, *next;
	bool more = false, behind = false;

	for (connection = LIST_FIRST(&c->connections); connection != NULL; connection = next) {
		bool rest = true;

		next = LIST_NEXT(connection, link);
		if (!connection->events.users && !connection->events.sources && !connection->events.requests)
			continue;
		if (!connection->blocked) {
			rest = events_run(connection);
			connection_flush(connection);
			more = more || (rest && !connection->blocked && !connection->broken);
		}
		behind = behind || rest;
	}
	c->events_behind = behind;
	return more;
}

static bool there_are_events(struct console *c)
{
	uint64_t users = changelog_last(directory_changes(c->daemon->directory));
	uint64_t sources = changelog_last(sources_changes(c->daemon->sources));
	uint64_t requests = changelog_last(inbox_changes(durable_inbox(c->daemon->durable)));
	bool any = users != c->users_seen || sources != c->sources_seen || requests != c->requests_seen;

	c->users_seen = users;
	c->sources_seen = sources;
	c->requests_seen = requests;
	return any;
}

/* What was said before the recording began, a part at a time. */
static bool run_snapshots(struct console *c)
{
	struct connection *connection, *next;
	bool more = false;

	for (connection = LIST_FIRST(&c->connections); c->recorder_count > 0 && connection != NULL; connection = next) {
		next = LIST_NEXT(connection, link);
		if (connection->recorder.snapshot && !connection->blocked)
			more = recorder_run(connection) || more;
	}
	return more;
}

bool console_turn(void *arg)
{
	struct console *c = arg;
	bool more = run_readers(c);

	more = run_snapshots(c) || more;

	if (there_are_events(c) || c->events_behind)
		more = run_events(c) || more;
	if (c->settled) {
		struct connection *connection, *next;

		c->settled = false;
		for (connection = LIST_FIRST(&c->connections); connection != NULL; connection = next) {
			next = LIST_NEXT(connection, link);
			methods_settled(connection);
		}
	}
	return more;
}

/* --- wiring -------------------------------------------------------------------------------------- */

void console_settled(struct console *c)
{
	c->settled = true;
}

void console_record(struct console *c, const struct buf *json)
{
	struct connection *connection, *next;

	for (connection = LIST_FIRST(&c->connections); connection != NULL; connection = next) {
		next = LIST_NEXT(connection, link);
		if (connection->recorder.on)
			recorder_line(connection, json);
	}
}

bool console_is_recorded(const struct console *c)
{
	return c->recorder_count > 0;
}

void console_recording_changed(struct console *c, int by)
{
	c->recorder_count += (size_t)by;
}

struct ring *console_ring(struct console *c, bool calls)
{
	return &c->rings[calls ? 1 : 0];
}

struct console_counters *console_counters(struct console *c)
{
	return &c->counters;
}

size_t console_connection_count(const struct console *c)
{
	return c->connection_count;
}

void console_forget(struct console *c, struct connection *connection)
{
	LIST_REMOVE(connection, link);
	c->connection_count--;
	if (connection->recorder.on)
		c->recorder_count--;
}

bool console_import_begin(struct console *c, struct connection *connection)
{
	int64_t now = loop_now(c->daemon->loop).mono;

	if (c->importer != NULL && c->importer != connection && now - c->imported_at < IMPORT_IDLE_MS)
		return false;
	if (c->importer != NULL && c->importer != connection)
		console_import_over(c, c->importer);
	c->importer = connection;
	c->imported_at = now;
	return true;
}

void console_import_over(struct console *c, struct connection *connection)
{
	if (c->importer != connection)
		return;
	c->importer = NULL;
	durable_drop_sync(c->daemon->durable, connection->import);
	connection->import = NULL;
}
