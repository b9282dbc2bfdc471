/* client.h: a connection to presenced, for commands that wait for answers.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CLIENT_H
#define PRESENCED_CLIENT_H

#include <jansson.h>
#include <stdint.h>

struct client;

/* Connect. NULL: a sentence was printed, the exit status is EXIT_UNREACHABLE. */
struct client *client_open(const char *socket);
void client_close(struct client *c); /* NULL is fine */

/* From now on wait so long for an answer, instead of half a minute. */
void client_wait(struct client *c, int64_t ms);

/* Call a method; takes `params` (NULL: none). The result, owned by the caller; NULL: the error was printed.
 * Notifications that come meanwhile are kept for client_next(). */
json_t *client_call(struct client *c, const char *method, json_t *params);

/* The same, quietly: *ret_code is the error's code, or 0. */
json_t *client_try(struct client *c, const char *method, json_t *params, int *ret_code);

/* The next notification (owned by the caller: "method", "params"), waiting at most `ms` (-1 for ever). NULL:
 * *ret_ended tells whether the time is up (0) or the connection has ended (1). */
json_t *client_next(struct client *c, int64_t ms, int *ret_ended);

#endif
