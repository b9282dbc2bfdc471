/* service.h: presenced as a service: signals, and what systemd wants to hear (sd_notify(3)).
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SERVICE_H
#define PRESENCED_SERVICE_H

#include "daemon/daemon.h"

/* Signals (TERM and INT stop, HUP reloads) and the watchdog. NULL without memory. */
struct service *service_new(struct daemon *d);
void service_free(struct service *s);

/* READY=1 with a line of status; STOPPING=1. */
void service_ready(struct service *s);
void service_stopping(struct service *s);

/* RELOADING=1 / READY=1 around a reload. */
void service_reloading(struct service *s);

#endif
