/* message.c: the guard in front of libsofia-sip's parser, and the text of answers.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/message.h"

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_util.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/sip/sip_spec.h"

#define URI_MAX 512

/* --- parsing --------------------------------------------------------------------------------------- */

static const char *guard(const char *data, size_t len)
{
	const char *end = memmem(data, len < SIP_HEAD_MAX ? len : SIP_HEAD_MAX, "\r\n\r\n", 4);
	size_t commas = 0, lines = 1; /* the last one has no LF before `end` */

	if (end == NULL)
		return "it has no end of its head within 16384 bytes";
	for (const char *p = data; p < end; p++) {
		if (*p == '\0')
			return "its head holds a NUL";
		if ((*p == '\r' && p[1] != '\n') || (*p == '\n' && (p == data || p[-1] != '\r')))
			return "its head holds a CR or an LF that stands alone";
		if (*p == ',' && ++commas > SIP_COMMAS_MAX)
			return "its head holds more than 256 commas";
		if (*p == '\n' && ++lines > SIP_LINES_MAX)
			return "its head has more than 256 lines";
	}
	return NULL;
}

/* The parser keeps the second From, To, Call-ID or CSeq as an unparsed header; which one counts must not be a guess. */
static const char *repeated(const sip_t *sip)
{
	const struct {
		msg_hclass_t *class;
		const char *why;
	} once[] = {
		{ sip_from_class, "it has two From headers" },
		{ sip_to_class, "it has two To headers" },
		{ sip_call_id_class, "it has two Call-ID headers" },
		{ sip_cseq_class, "it has two CSeq headers" },
	};

	/* one that could be parsed keeps its own type in this list; only the others have a name */
	for (const sip_header_t *e = (const sip_header_t *)(const void *)sip->sip_error; e != NULL; e = e->sh_next)
		for (size_t i = 0; i < sizeof once / sizeof *once; i++)
			if (e->sh_class == once[i].class ||
			    (e->sh_class == sip_error_class && e->sh_error->er_name != NULL &&
				strcasecmp(e->sh_error->er_name, once[i].class->hc_name) == 0))
				return once[i].why;
	return NULL;
}

static const char *refuse(const sip_t *sip)
{
	if (!MSG_HAS_COMPLETE(sip->sip_flags) || MSG_HAS_ERROR(sip->sip_flags))
		return "it cannot be parsed, or is not complete";
	if (sip->sip_via == NULL || sip->sip_from == NULL || sip->sip_to == NULL || sip->sip_call_id == NULL ||
	    sip->sip_cseq == NULL)
		return "it lacks Via, From, To, Call-ID or CSeq, or one of them is broken";
	if ((sip->sip_request == NULL) == (sip->sip_status == NULL))
		return "it is neither a request nor an answer";
	if (sip->sip_request != NULL &&
	    (sip->sip_request->rq_method != sip->sip_cseq->cs_method ||
		strcmp(sip->sip_request->rq_method_name, sip->sip_cseq->cs_method_name) != 0))
		return "the method of its CSeq is another one";
	if (strcasecmp(
		sip->sip_request != NULL ? sip->sip_request->rq_version : sip->sip_status->st_version, "SIP/2.0") != 0)
		return "its version is not SIP/2.0";
	return repeated(sip);
}

msg_t *sip_message_parse(const char *data, size_t len, sip_t **ret_sip, const char **ret_why)
{
	msg_t *msg;

	*ret_why = guard(data, len);
	if (*ret_why != NULL)
		return NULL;
	msg = msg_make(sip_default_mclass(), 0, data, (ssize_t)len);
	*ret_sip = msg == NULL ? NULL : sip_object(msg);
	*ret_why = *ret_sip == NULL ? "no memory" : refuse(*ret_sip);
	if (*ret_why == NULL)
		return msg;
	if (msg != NULL)
		msg_destroy(msg);
	return NULL;
}

/* --- writing --------------------------------------------------------------------------------------- */

/* A line end inside a header is what is left of folding, and a blank. It never begins a line of its own. */
static void put_flat(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_putc(b, text[i] == '\r' || text[i] == '\n' ? ' ' : text[i]);
}

static void put(struct buf *b, const void *header, issize_t (*print)(char *, isize_t, const msg_header_t *, int))
{
	char text[SIP_HEAD_MAX];
	issize_t n = header == NULL ? 0 : print(text, sizeof text, header, 0);
	bool line = n >= 2 && n < (issize_t)sizeof text && memcmp(text + n - 2, "\r\n", 2) == 0;

	if (n < 0 || (size_t)n >= sizeof text - 1) { /* its printing loses a byte that just fits */
		b->failed = true;
		return;
	}
	put_flat(b, text, (size_t)n - (line ? 2 : 0));
	if (line)
		buf_puts(b, "\r\n");
}

void sip_message_put(struct buf *b, const void *header)
{
	put(b, header, msg_header_e);
}

void sip_message_put_value(struct buf *b, const void *header)
{
	put(b, header, msg_header_field_e);
}

/* The top Via says where the answer goes: the source is added as RFC 3581 asks, or RFC 3261 18.2.1. */
static bool is_named(const char *param, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(param, name, len) == 0 && (param[len] == '\0' || param[len] == '=');
}

static void put_top_via(struct buf *b, const sip_via_t *via, const char *received, uint16_t port)
{
	buf_puts(b, "Via: ");
	buf_printf(b, "%s %s%s%s", via->v_protocol, via->v_host, via->v_port != NULL ? ":" : "",
	    via->v_port != NULL ? via->v_port : "");
	for (size_t i = 0; via->v_params != NULL && via->v_params[i] != NULL; i++)
		if (received == NULL ||
		    (!is_named(via->v_params[i], "rport") && !is_named(via->v_params[i], "received"))) {
			buf_putc(b, ';');
			put_flat(b, via->v_params[i], strlen(via->v_params[i]));
		}
	if (received != NULL && via->v_rport != NULL)
		buf_printf(b, ";received=%s;rport=%u", received, port);
	else if (received != NULL && strcmp(received, via->v_host) != 0)
		buf_printf(b, ";received=%s", received);
	buf_puts(b, "\r\n");
}

void sip_message_answer(struct buf *b, const sip_t *request, int status, const char *phrase, const char *to_tag,
    const char *more, const char *received, uint16_t port)
{
	buf_printf(b, "SIP/2.0 %d %s\r\n", status, phrase);
	put_top_via(b, request->sip_via, received, port);
	for (const sip_via_t *v = request->sip_via->v_next; v != NULL; v = v->v_next)
		sip_message_put(b, v);
	sip_message_put(b, request->sip_from);
	buf_puts(b, "To: ");
	sip_message_put_value(b, request->sip_to);
	if (request->sip_to->a_tag == NULL && to_tag != NULL)
		buf_printf(b, ";tag=%s", to_tag);
	buf_puts(b, "\r\n");
	sip_message_put(b, request->sip_call_id);
	sip_message_put(b, request->sip_cseq);
	buf_printf(b, "%sContent-Length: 0\r\n\r\n", more);
}

/* A name, a v4 address, or a v6 address in brackets. */
static bool is_host(const char *host)
{
	size_t len = strlen(host);

	if (*host == '[')
		return len > 2 && host[len - 1] == ']' && strspn(host + 1, ":.0123456789abcdefABCDEF") == len - 2;
	return host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] == '\0';
}

bool sip_uri_is_good(const char *text)
{
	char copy[URI_MAX + 1];
	size_t len = strlen(text);
	url_t url;

	if (len == 0 || len > URI_MAX || sip_uri_has_bad_bytes(text))
		return false;
	memcpy(copy, text, len + 1);
	if (url_d(&url, copy) < 0 || url.url_headers != NULL || url.url_path != NULL || url.url_fragment != NULL)
		return false;
	if (url.url_type == url_tel)
		return text[4] != '\0';
	if (url.url_port != NULL && strtoul(url.url_port, NULL, 10) > UINT16_MAX)
		return false;
	if (url.url_host != NULL && !is_host(url.url_host))
		return false;
	return (url.url_type == url_sip || url.url_type == url_sips) && url.url_host != NULL && *url.url_host != '\0';
}

int64_t sip_message_retry_after(const sip_t *answer)
{
	int64_t seconds =
	    answer == NULL || answer->sip_retry_after == NULL ? 0 : (int64_t)answer->sip_retry_after->af_delta;

	return (seconds < 3600 ? seconds : 3600) * 1000;
}

const char *sip_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 405, "Method Not Allowed" },
		{ 481, "Subscription Does Not Exist" },
		{ 489, "Bad Event" },
		{ 500, "Server Internal Error" },
	};

	for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Answer";
}
