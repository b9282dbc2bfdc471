/* tapi.c: a telephone switch by one of two wires, which begin and end here.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/tapi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/tapi/tapi_private.h"

static const struct tapi_wire *const wires[TAPI_PROTOCOLS] = {
	[TAPI_CSTA] = &csta_wire,
	[TAPI_BRIDGE] = &bridge_wire,
};

void tapi_say_status(struct connector *c, enum source_status status, const char *why)
{
	source_status_changed(c->source, 1u << DOMAIN_TELEPHONY, status, why);
}

static void stop(struct connector *c)
{
	if (c == NULL)
		return;
	c->wire->close(c);
	explicit_bzero(c->password, sizeof c->password);
	free(c);
}

static int start(
    struct connector **ret, struct source *source, const void *settings, struct loop *loop, char *err, size_t err_size)
{
	const struct tapi_settings *s = settings;
	const struct tapi_wire *wire = wires[s->protocol];
	struct connector *c = calloc(1, wire->size);
	int r;

	if (c == NULL)
		return -ENOMEM;
	c->wire = wire;
	c->source = source;
	c->settings = s;
	c->loop = loop;
	r = source_secret(source, s->password, s->password_file, c->password, err, err_size);
	c->has_password = r > 0;
	if (r >= 0)
		r = wire->open(c, err, err_size);
	if (r < 0) {
		stop(c);
		return r;
	}
	*ret = c;
	return 0;
}

static int watch(struct connector *c, const char *address, enum domain domain)
{
	(void)domain;
	return c->wire->watch(c, address);
}

static void unwatch(struct connector *c, const char *address, enum domain domain)
{
	(void)domain;
	c->wire->unwatch(c, address);
}

static void verify(struct connector *c, const char *address, enum domain domain)
{
	(void)domain;
	c->wire->verify(c, address);
}

static void probe(struct connector *c)
{
	c->wire->probe(c);
}

static void stats(const struct connector *c, struct buf *b)
{
	c->wire->stats(c, b);
}

static bool outdated(const struct connector *c, char *why, size_t size)
{
	return source_secret_differs(c->source, c->settings->password, c->settings->password_file,
	    c->has_password ? c->password : NULL, why, size);
}

const struct connector_type tapi_type = {
	.spec = &tapi_spec,
	.start = start,
	.stop = stop,
	.watch = watch,
	.unwatch = unwatch,
	.verify = verify,
	.probe = probe,
	.outdated = outdated,
	.stats = stats,
};
