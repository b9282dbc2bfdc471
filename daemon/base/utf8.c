/* utf8.c: UTF-8 (RFC 3629).
 * SPDX-License-Identifier: MIT */
#include "daemon/base/utf8.h"

#include <string.h>

/* The length in bytes of the UTF-8 character at p (RFC 3629 section 4), 0 if it is not one. */
static size_t utf8_char(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char first, last, second_first, second_last;
		size_t len;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last || forms[i].len > left)
			continue;
		if (forms[i].len > 1 && (p[1] < forms[i].second_first || p[1] > forms[i].second_last))
			continue;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

bool utf8_is_valid(const char *text, size_t len)
{
	for (size_t done = 0; done < len;) {
		size_t n = utf8_char((const unsigned char *)text + done, len - done);

		if (n == 0)
			return false;
		done += n;
	}
	return true;
}

bool utf8_has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f || (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0))
			return true;
	}
	return false;
}

void utf8_repair(char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = utf8_char((const unsigned char *)text, left);

		if (n == 0)
			*text = '?';
		text += n == 0 ? 1 : n;
		left -= n == 0 ? 1 : n;
	}
}

size_t utf8_cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}
