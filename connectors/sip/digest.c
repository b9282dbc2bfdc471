/* digest.c: challenges in, credentials out; the hashes are OpenSSL's.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/digest.h"

#include <openssl/evp.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_mime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEX_SIZE (2 * EVP_MAX_MD_SIZE + 1)

static const struct {
	const char *name, *digest;
} algorithms[] = {
	{ "MD5", "MD5" },
	{ "SHA-256", "SHA256" },
};
#define ALGORITHM_COUNT (sizeof algorithms / sizeof *algorithms)

/* --- challenges ------------------------------------------------------------------------------------ */

/* A parameter without its quotes; false if it is absent, too long, or holds what must not be sent back. */
static bool parameter(const msg_auth_t *a, const char *name, char *buf)
{
	const char *value = msg_params_find((char const *const *)a->au_params, name);
	char *text = value == NULL ? NULL : msg_unquote_dup(NULL, value);
	bool ok = text != NULL && strlen(text) < DIGEST_TEXT_SIZE && strpbrk(text, "\r\n") == NULL;

	if (ok)
		snprintf(buf, DIGEST_TEXT_SIZE, "%s", text);
	free(text);
	return ok;
}

static bool lists_auth(const char *qop)
{
	for (const char *p = qop; *p != '\0';) {
		size_t len = strcspn(p, ", \t");

		if (len == 4 && strncasecmp(p, "auth", 4) == 0)
			return true;
		p += len + strspn(p + len, ", \t");
	}
	return false;
}

static const char *read_challenge(struct digest_challenge *c, const msg_auth_t *a)
{
	char text[DIGEST_TEXT_SIZE];

	if (a->au_scheme == NULL || strcasecmp(a->au_scheme, "Digest") != 0)
		return "the server asks for a way to authenticate that is not Digest";
	if (!parameter(a, "realm=", c->realm) || !parameter(a, "nonce=", c->nonce))
		return "the challenge of the server has no realm or nonce that can be used";
	c->has_opaque = parameter(a, "opaque=", c->opaque);
	c->algorithm = 0;
	if (msg_params_find((char const *const *)a->au_params, "algorithm=") != NULL) {
		if (!parameter(a, "algorithm=", text))
			text[0] = '\0';
		for (c->algorithm = 0; (size_t)c->algorithm < ALGORITHM_COUNT; c->algorithm++)
			if (strcasecmp(text, algorithms[c->algorithm].name) == 0)
				break;
		if ((size_t)c->algorithm == ALGORITHM_COUNT)
			return "the server asks for a digest algorithm other than MD5 and SHA-256";
	}
	c->qop = msg_params_find((char const *const *)a->au_params, "qop=") != NULL;
	if (c->qop && (!parameter(a, "qop=", text) || !lists_auth(text)))
		return "the server asks for a quality of protection other than auth";
	c->stale = parameter(a, "stale=", text) && strcasecmp(text, "true") == 0;
	return NULL;
}

bool digest_take(struct digest_challenge *c, const sip_t *answer, const char **ret_why)
{
	bool proxy = answer->sip_status->st_status == 407;
	const msg_auth_t *a = proxy ? answer->sip_proxy_authenticate : answer->sip_www_authenticate;

	*ret_why = "the server asks for credentials without a challenge";
	for (; a != NULL; a = a->au_next) {
		struct digest_challenge found = { .set = true, .proxy = proxy };

		*ret_why = read_challenge(&found, a);
		if (*ret_why != NULL)
			continue;
		*c = found;
		return true;
	}
	return false;
}

/* --- credentials ----------------------------------------------------------------------------------- */

static void hash(const char *algorithm, const struct buf *text, char *hex)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	const EVP_MD *md = EVP_get_digestbyname(algorithm);

	*hex = '\0';
	if (md == NULL || EVP_Digest(buf_text(text), text->len, raw, &len, md, NULL) != 1)
		return;
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x", raw[i]);
}

static void put_quoted(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "%s=\"", name);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *text);
	}
	buf_putc(b, '"');
}

/* RFC 7616 3.4.1 */
static void response_of(const struct digest_challenge *c, const struct digest_identity *who, const char *method,
    const char *uri, const char *cnonce, char *hex)
{
	const char *algorithm = algorithms[c->algorithm].digest;
	static const char zeros[4096];
	char a1[HEX_SIZE], a2[HEX_SIZE];
	struct buf text;

	buf_init(&text, 8192);
	buf_put(&text, zeros, sizeof zeros); /* one block from the start: a growing one would leave copies behind */
	buf_clear(&text);
	buf_printf(&text, "%s:%s:%s", who->user, c->realm, who->password);
	hash(algorithm, &text, a1);
	explicit_bzero(text.data, text.len);
	buf_clear(&text);
	buf_printf(&text, "%s:%s", method, uri);
	hash(algorithm, &text, a2);
	buf_clear(&text);
	if (c->qop)
		buf_printf(&text, "%s:%s:%08x:%s:auth:%s", a1, c->nonce, c->count, cnonce, a2);
	else
		buf_printf(&text, "%s:%s:%s", a1, c->nonce, a2);
	hash(algorithm, &text, hex);
	explicit_bzero(a1, sizeof a1);
	buf_done(&text);
}

void digest_put(struct buf *b, struct digest_challenge *c, const struct digest_identity *who, const char *method,
    const char *uri, const char *cnonce)
{
	char response[HEX_SIZE];

	c->count++;
	response_of(c, who, method, uri, cnonce, response);
	buf_puts(b, c->proxy ? "Proxy-Authorization: Digest " : "Authorization: Digest ");
	put_quoted(b, "username", who->user);
	put_quoted(b, ", realm", c->realm);
	put_quoted(b, ", nonce", c->nonce);
	put_quoted(b, ", uri", uri);
	buf_printf(b, ", response=\"%s\", algorithm=%s", response, algorithms[c->algorithm].name);
	if (c->has_opaque)
		put_quoted(b, ", opaque", c->opaque);
	if (c->qop)
		buf_printf(b, ", qop=auth, nc=%08x, cnonce=\"%s\"", c->count, cnonce);
	buf_puts(b, "\r\n");
}
