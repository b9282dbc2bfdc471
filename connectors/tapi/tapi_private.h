/* tapi_private.h: what the two wires share with the driver; nobody else includes it.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TAPI_PRIVATE_H
#define PRESENCED_TAPI_PRIVATE_H

#include "connectors/secret.h"
#include "connectors/tapi/tapi.h"
#include "connectors/tapi/tapi_spec.h"

/* As connector.h says; open and close are the inner halves of start and stop. */
struct tapi_wire {
	size_t size; /* of its own struct, which begins with a struct connector */

	/* Everything else in the struct is zero. 0, or -errno with a sentence in err; close() is called in either case. */
	int (*open)(struct connector *c, char *err, size_t err_size);
	void (*close)(struct connector *c);
	int (*watch)(struct connector *c, const char *line);
	void (*unwatch)(struct connector *c, const char *line);
	void (*verify)(struct connector *c, const char *line);
	void (*probe)(struct connector *c);
	void (*stats)(const struct connector *c, struct buf *b);
};

extern const struct tapi_wire csta_wire, bridge_wire;

/* The begin of the struct of each wire. */
struct connector {
	const struct tapi_wire *wire;
	struct source *source;
	const struct tapi_settings *settings;
	struct loop *loop;
	char password[SECRET_SIZE];
	bool has_password;
};

/* The status of the only domain there is. */
void tapi_say_status(struct connector *c, enum source_status status, const char *why);

#endif
