/* csta_write.h: the documents that we send to a CSTA switch. Pure.
 * SPDX-License-Identifier: MIT
 *
 * Elements stand in the order of the schemas (ECMA-323, ECMA-354). Texts are escaped.
 */
#ifndef PRESENCED_CSTA_WRITE_H
#define PRESENCED_CSTA_WRITE_H

#include <stdint.h>

#include "daemon/base/buf.h"

/* <NAME xmlns="NS"/> */
void csta_write_empty(struct buf *b, const char *ns, const char *name);

/* <NAME xmlns="NS"><A><B>text</B></A></NAME>; `path` is "A/B" or "A". */
void csta_write_one(struct buf *b, const char *ns, const char *name, const char *path, const char *text);

/* StartApplicationSession. `info` is XML in which {user} and {password} are replaced, both may be NULL:
 * then it is left out, unless it asks for neither; `seconds` is the
 * duration that is asked for. */
struct csta_start {
	const char *application, *info, *user, *password, *version;
	int64_t seconds;
};
void csta_write_start(struct buf *b, const struct csta_start *start);

/* ResetApplicationSessionTimer / StopApplicationSession. */
void csta_write_refresh(struct buf *b, const char *session, int64_t seconds);
void csta_write_stop(struct buf *b, const char *session);

/* SystemRegister, for SystemStatus. */
void csta_write_register(struct buf *b, const char *ns);

#endif
