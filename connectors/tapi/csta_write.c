/* csta_write.c: few documents, each with one or two values.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/csta_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_SESSION "http://www.ecma-international.org/standards/ecma-354/appl_session"

static void put_text(struct buf *b, const char *text)
{
	static const char special[] = "&<>\"'";
	static const char *const escaped[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;" };

	while (*text != '\0') {
		size_t plain = strcspn(text, special);

		buf_put(b, text, plain);
		text += plain;
		if (*text != '\0')
			buf_puts(b, escaped[strchr(special, *text++) - special]);
	}
}

static void open(struct buf *b, const char *name)
{
	buf_puts(b, "<");
	buf_puts(b, name);
	buf_puts(b, ">");
}

static void close(struct buf *b, const char *name)
{
	buf_puts(b, "</");
	buf_puts(b, name);
	buf_puts(b, ">");
}

static void put_root(struct buf *b, const char *ns, const char *name)
{
	buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
	buf_puts(b, name);
	buf_puts(b, " xmlns=\"");
	put_text(b, ns);
	buf_puts(b, "\"");
}

static void open_root(struct buf *b, const char *ns, const char *name)
{
	put_root(b, ns, name);
	buf_puts(b, ">");
}

static void put_field(struct buf *b, const char *name, const char *text)
{
	open(b, name);
	put_text(b, text);
	close(b, name);
}

static void put_number(struct buf *b, const char *name, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, number);
	put_field(b, name, text);
}

void csta_write_empty(struct buf *b, const char *ns, const char *name)
{
	put_root(b, ns, name);
	buf_puts(b, "/>");
}

void csta_write_one(struct buf *b, const char *ns, const char *name, const char *path, const char *text)
{
	char outer[64];
	const char *inner = strchr(path, '/');

	snprintf(outer, sizeof outer, "%.*s", (int)(inner == NULL ? 0 : inner - path), path);
	open_root(b, ns, name);
	if (inner != NULL)
		open(b, outer);
	put_field(b, inner == NULL ? path : inner + 1, text);
	if (inner != NULL)
		close(b, outer);
	close(b, name);
}

/* --- application sessions -------------------------------------------------------------------------- */

static void put_info(struct buf *b, const struct csta_start *start)
{
	static const char user[] = "{user}", password[] = "{password}";

	for (const char *p = start->info; *p != '\0';) {
		size_t plain = strcspn(p, "{");

		buf_put(b, p, plain);
		p += plain;
		if (strncmp(p, user, sizeof user - 1) == 0) {
			put_text(b, start->user == NULL ? "" : start->user);
			p += sizeof user - 1;
		} else if (strncmp(p, password, sizeof password - 1) == 0) {
			put_text(b, start->password == NULL ? "" : start->password);
			p += sizeof password - 1;
		} else if (*p != '\0') {
			buf_putc(b, *p++);
		}
	}
}

void csta_write_start(struct buf *b, const struct csta_start *start)
{
	open_root(b, NS_SESSION, "StartApplicationSession");
	open(b, "applicationInfo");
	put_field(b, "applicationID", start->application);
	if (start->user != NULL || start->password != NULL || strchr(start->info, '{') == NULL) {
		open(b, "applicationSpecificInfo");
		put_info(b, start);
		close(b, "applicationSpecificInfo");
	}
	close(b, "applicationInfo");
	open(b, "requestedProtocolVersions");
	put_field(b, "protocolVersion", start->version);
	close(b, "requestedProtocolVersions");
	put_number(b, "requestedSessionDuration", start->seconds);
	close(b, "StartApplicationSession");
}

void csta_write_refresh(struct buf *b, const char *session, int64_t seconds)
{
	open_root(b, NS_SESSION, "ResetApplicationSessionTimer");
	put_field(b, "sessionID", session);
	put_number(b, "requestedSessionDuration", seconds);
	close(b, "ResetApplicationSessionTimer");
}

void csta_write_stop(struct buf *b, const char *session)
{
	open_root(b, NS_SESSION, "StopApplicationSession");
	put_field(b, "sessionID", session);
	open(b, "sessionEndReason");
	put_field(b, "definedEndReason", "normal");
	close(b, "sessionEndReason");
	close(b, "StopApplicationSession");
}

void csta_write_register(struct buf *b, const char *ns)
{
	open_root(b, ns, "SystemRegister");
	open(b, "requestTypes");
	put_field(b, "systemStatus", "true");
	put_field(b, "requestSystemStatus", "false");
	put_field(b, "switchingFunctionCapsChanged", "false");
	put_field(b, "switchingFunctionDevicesChanged", "false");
	close(b, "requestTypes");
	close(b, "SystemRegister");
}
