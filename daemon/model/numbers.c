/* numbers.c: comparison of telephone numbers, by normal forms.
 * SPDX-License-Identifier: MIT */
#include "daemon/model/numbers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A piece of borrowed text. */
struct span {
	const char *at;
	size_t len;
};

/* The inside of the last <...>, since a display name before it may hold a '<' in quotes. */
static struct span inside_brackets(struct span s)
{
	const char *open = memrchr(s.at, '<', s.len), *close;

	if (open == NULL)
		return s;
	s.len -= (size_t)(open + 1 - s.at);
	s.at = open + 1;
	close = memchr(s.at, '>', s.len);
	if (close != NULL)
		s.len = (size_t)(close - s.at);
	return s;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && isspace((unsigned char)*s.at)) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && isspace((unsigned char)s.at[s.len - 1]))
		s.len--;
	return s;
}

static struct span without_scheme(struct span s)
{
	static const char *const schemes[] = { "sip:", "sips:", "tel:" };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t n = strlen(schemes[i]);

		if (s.len >= n && strncasecmp(s.at, schemes[i], n) == 0) {
			s.at += n;
			s.len -= n;
			break;
		}
	}
	return s;
}

static struct span cut_at(struct span s, const char *stops)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr(stops, s.at[i]) != NULL)
			s.len = i;
	return s;
}

static bool has_letter(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (isalpha((unsigned char)s.at[i]) || (unsigned char)s.at[i] >= 0x80)
			return true;
	return false;
}

static bool starts(const char *text, const char *prefix)
{
	return prefix != NULL && *prefix != '\0' && strncmp(text, prefix, strlen(prefix)) == 0;
}

static size_t digits_in(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += isdigit((unsigned char)*text) != 0;
	return n;
}

static void replace_prefix(char *text, size_t prefix, const char *by)
{
	size_t rest = strlen(text + prefix) + 1, len = strlen(by);

	if (len + rest > NUMBER_MAX_BYTES)
		return;
	memmove(text + len, text + prefix, rest);
	memcpy(text, by, len); /* NOLINT(bugprone-not-null-terminated-result): the rest stands behind it */
}

static void strip_outside(const struct numbers_config *config, char *text)
{
	for (size_t i = 0; i < config->outside_count; i++) {
		size_t n = strlen(config->outside[i]);

		if (starts(text, config->outside[i]) && digits_in(text + n) > (size_t)config->extension_digits) {
			replace_prefix(text, n, "");
			return;
		}
	}
}

static void make_international(const struct numbers_config *config, char *text)
{
	char plus_country[NUMBER_MAX_BYTES];

	if (starts(text, config->international)) {
		replace_prefix(text, strlen(config->international), "+");
	} else if (starts(text, config->national) && config->country != NULL) {
		snprintf(plus_country, sizeof plus_country, "+%s", config->country);
		replace_prefix(text, strlen(config->national), plus_country);
	}
}

bool number_normalise(const struct numbers_config *config, const char *text, struct number *ret)
{
	struct span s = { text, strlen(text) }, user;
	const char *at;
	size_t n = 0;

	*ret = (struct number){ .is_name = true };
	s = cut_at(without_scheme(trim(inside_brackets(s))), ";?");
	s = trim(s);
	if (s.len >= NUMBER_MAX_BYTES - 8) /* room for "+country" */
		return false;
	at = memchr(s.at, '@', s.len);
	user = at == NULL ? s : (struct span){ s.at, (size_t)(at - s.at) };
	if (has_letter(user)) {
		memcpy(ret->text, user.at, user.len);
		if (at != NULL)
			memcpy(ret->host, at + 1, s.len - user.len - 1);
		return true;
	}
	ret->is_name = false;
	for (size_t i = 0; i < user.len; i++)
		if (!isspace((unsigned char)user.at[i]) && strchr("-.()/", user.at[i]) == NULL)
			ret->text[n++] = user.at[i];
	strip_outside(config, ret->text);
	make_international(config, ret->text);
	return true;
}

/* Whether `longer`, by a DID rule, is reached inside the house as `extension`. */
static bool maps_to(const struct numbers_config *config, const char *longer, const char *extension)
{
	if (digits_in(extension) > (size_t)config->extension_digits || !isdigit((unsigned char)*extension))
		return false;
	for (size_t i = 0; i < config->did_count; i++) {
		const struct numbers_did *did = &config->dids[i];
		size_t len = strlen(longer), prefix = strlen(did->prefix), keep = (size_t)did->keep;

		if (starts(longer, did->prefix) && len - prefix <= keep && keep <= len &&
		    strcmp(longer + len - keep, extension) == 0)
			return true;
	}
	return false;
}

bool number_equal(const struct numbers_config *config, const struct number *a, const struct number *b)
{
	if (a->text[0] == '\0' || b->text[0] == '\0' || a->is_name != b->is_name)
		return false;
	if (a->is_name)
		return strcasecmp(a->text, b->text) == 0 &&
		    (a->host[0] == '\0' || b->host[0] == '\0' || strcasecmp(a->host, b->host) == 0);
	return strcmp(a->text, b->text) == 0 || maps_to(config, a->text, b->text) || maps_to(config, b->text, a->text);
}
