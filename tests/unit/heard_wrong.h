/* heard_wrong.h: a critic that counts the options it is told of, and keeps the last one.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_HEARD_WRONG_H
#define PRESENCED_TESTS_HEARD_WRONG_H

#include <stdio.h>

#include "connectors/option.h"

struct heard_wrong {
	int count;
	char option[32], why[300];
};

static inline void hear_wrong(void *arg, const char *option, const char *why)
{
	struct heard_wrong *heard = arg;

	heard->count++;
	snprintf(heard->option, sizeof heard->option, "%s", option);
	snprintf(heard->why, sizeof heard->why, "%s", why);
}

#endif
