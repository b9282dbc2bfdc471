/* client.c: JSON-RPC over the Unix socket, blocking.
 * SPDX-License-Identifier: MIT */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/buf.h"
#include "daemon/base/instant.h"
#include "daemon/base/unix_socket.h"

#define ANSWER_MAX_BYTES (8 * 1024 * 1024) /* several lines of 1 MiB may have come in one read */
#define ANSWER_WAIT_MS	 30000 /* a probe takes 10 s, a get at most 10 s; client_wait() for what takes longer */

struct client {
	int fd;
	struct buf in;
	size_t taken; /* bytes of `in` that were handed out */
	json_t *kept; /* notifications that came while an answer was awaited */
	json_int_t last_id;
	int64_t wait; /* ms for an answer */
};

struct client *client_open(const char *path)
{
	struct client *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->fd = unix_socket_connect(path);
	if (c->fd < 0) {
		fprintf(stderr, "presencectl: presenced cannot be reached at %s: %s%s.\n", path, strerror(-c->fd),
		    c->fd == -ENOENT || c->fd == -ECONNREFUSED ? "; is it running? (systemctl status presenced)" :
			c->fd == -EACCES		       ? "; this account is not in the socket's group" :
								 "");
		free(c);
		return NULL;
	}
	buf_init(&c->in, ANSWER_MAX_BYTES);
	c->kept = json_array();
	c->wait = ANSWER_WAIT_MS;
	return c;
}

void client_wait(struct client *c, int64_t ms)
{
	c->wait = ms;
}

void client_close(struct client *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	buf_done(&c->in);
	json_decref(c->kept);
	free(c);
}

static int send_all(struct client *c, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(c->fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The next line as JSON. NULL: *ret_ended. */
static json_t *take_line(struct client *c)
{
	const char *start = buf_text(&c->in) + c->taken;
	const char *end = memchr(start, '\n', c->in.len - c->taken);
	json_t *value;

	if (end == NULL)
		return NULL;
	value = json_loadb(start, (size_t)(end - start), 0, NULL);
	c->taken += (size_t)(end - start) + 1;
	return value != NULL ? value : json_object();
}

/* Forget what was handed out, and read more. > 0, 0 when the time is up, -1 when the connection has ended. */
static int read_more(struct client *c, int64_t deadline)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int64_t wait = deadline - instant_now().mono;
	char chunk[65536];
	ssize_t n;
	int ready;

	if (c->taken > 0) {
		memmove(c->in.data, c->in.data + c->taken, c->in.len - c->taken);
		c->in.len -= c->taken;
		c->taken = 0;
	}
	ready = poll(&p, 1, deadline == INSTANT_NEVER ? -1 : wait < 0 ? 0 : (int)(wait > 1000000 ? 1000000 : wait));
	if (ready == 0)
		return 0;
	if (ready < 0)
		return errno == EINTR ? 0 : -1;
	n = read(c->fd, chunk, sizeof chunk);
	if (n <= 0)
		return -1;
	buf_put(&c->in, chunk, (size_t)n);
	return c->in.failed ? -1 : 1;
}

static json_t *next_value(struct client *c, int64_t deadline, int *ret_ended)
{
	json_t *value;
	int r = 1;

	*ret_ended = 0;
	while ((value = take_line(c)) == NULL && r > 0)
		r = read_more(c, deadline);
	*ret_ended = value == NULL && r < 0;
	return value;
}

static int send_request(struct client *c, const char *method, json_t *params)
{
	json_t *request = json_pack(
	    "{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", ++c->last_id, "method", method, "params", params);
	char *text = json_dumps(request, JSON_COMPACT);
	int r = text == NULL ? -ENOMEM : send_all(c, text, strlen(text));

	if (r == 0)
		r = send_all(c, "\n", 1);
	free(text);
	json_decref(request);
	return r;
}

/* Wait for the answer to the last request; the whole response. */
static json_t *await(struct client *c)
{
	int64_t deadline = instant_now().mono + c->wait;
	json_t *value;
	int ended;

	while ((value = next_value(c, deadline, &ended)) != NULL) {
		if (json_object_get(value, "method") == NULL)
			return value;
		json_array_append_new(c->kept, value);
	}
	return NULL;
}

static json_t *exchange(struct client *c, const char *method, json_t *params)
{
	json_t *response;

	(void)send_request(c, method, params); /* if it does not go, what was said before tells why */
	response = await(c);
	if (response == NULL)
		fprintf(stderr, "presencectl: presenced has ended the connection, or does not answer.\n");
	return response;
}

json_t *client_try(struct client *c, const char *method, json_t *params, int *ret_code)
{
	json_t *response = exchange(c, method, params), *result;

	*ret_code = (int)json_integer_value(json_object_get(json_object_get(response, "error"), "code"));
	result = json_incref(json_object_get(response, "result"));
	json_decref(response);
	return result;
}

static void print_error(const json_t *error)
{
	const json_t *errors = json_object_get(json_object_get(error, "data"), "errors");

	fprintf(stderr, "presencectl: %s\n", json_string_value(json_object_get(error, "message")));
	for (size_t i = 0; i < json_array_size(errors); i++)
		fprintf(stderr, "  %s\n", json_string_value(json_array_get(errors, i)));
}

json_t *client_call(struct client *c, const char *method, json_t *params)
{
	json_t *response = exchange(c, method, params), *result;
	const json_t *error = json_object_get(response, "error");

	if (error != NULL)
		print_error(error);
	result = json_incref(json_object_get(response, "result"));
	json_decref(response);
	return result;
}

json_t *client_next(struct client *c, int64_t ms, int *ret_ended)
{
	int64_t deadline = ms < 0 ? INSTANT_NEVER : instant_now().mono + ms;
	json_t *value;

	*ret_ended = 0;
	if (json_array_size(c->kept) > 0) {
		value = json_incref(json_array_get(c->kept, 0));
		json_array_remove(c->kept, 0);
		return value;
	}
	do {
		value = next_value(c, deadline, ret_ended);
		if (value == NULL || json_object_get(value, "method") != NULL)
			return value;
		json_decref(value);
	} while (1);
}
