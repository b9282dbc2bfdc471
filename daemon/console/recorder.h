/* recorder.h: raw.subscribe: what sources say, as it arrives, for `presencectl record`. For daemon/console/
 * only. SPDX-License-Identifier: MIT */
#ifndef PRESENCED_RECORDER_H
#define PRESENCED_RECORDER_H

#include "daemon/console/connection.h"

/* Begin (with what is known now) or end. */
void recorder_set(struct connection *c, bool on);

/* One line, a JSON object. A connection that reads too slowly loses it, and is told how many it lost. */
void recorder_line(struct connection *c, const struct buf *json);

/* Go on telling what was known when the recording began. True: there is more. */
bool recorder_run(struct connection *c);

#endif
