/* json_in.c: bounded reading of JSON with jansson.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/json_in.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "daemon/base/utf8.h"

/* jansson recurses up to 2048 levels; that is stack that a peer may not choose. */
static bool too_deep(const char *text, size_t len)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > JSON_IN_MAX_DEPTH)
				return true;
		} else if (text[i] == '}' || text[i] == ']') {
			depth--;
		}
	}
	return false;
}

int json_in_object(const char *text, size_t len, json_t **ret, char *err, size_t err_size)
{
	json_error_t error;
	json_t *value;

	if (too_deep(text, len)) {
		snprintf(err, err_size, "nested deeper than %d levels", JSON_IN_MAX_DEPTH);
		return -EBADMSG;
	}
	value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value == NULL) {
		if (json_error_code(&error) == json_error_out_of_memory)
			return -ENOMEM;
		snprintf(err, err_size, "not JSON: %s at byte %d", error.text, error.position);
		utf8_repair(err); /* it quotes what may end in the middle of a character */
		return -EBADMSG;
	}
	if (!json_is_object(value)) {
		json_decref(value);
		snprintf(err, err_size, "not a JSON object");
		return -EBADMSG;
	}
	*ret = value;
	return 0;
}
