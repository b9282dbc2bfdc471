/* fuzz_sip_message.c: what is taken for a message can be answered, and the answer is a message, too.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include "connectors/sip/digest.h"
#include "connectors/sip/message.h"

#define MAX_ANSWER (4 * SIP_HEAD_MAX)

/* Lines, folded ones as one; whatever stood in the request, nothing can have become a line of its own. */
static size_t count_lines(const char *text, size_t len)
{
	size_t lines = 0;

	assert(memchr(text, '\0', len) == NULL);
	for (size_t i = 0; i < len; i++) {
		assert(text[i] != '\n' || (i > 0 && text[i - 1] == '\r'));
		assert(text[i] != '\r' || (i + 1 < len && text[i + 1] == '\n'));
		if (text[i] == '\n' && (i + 1 == len || (text[i + 1] != ' ' && text[i + 1] != '\t')))
			lines++;
	}
	return lines;
}

static void check_again(const struct buf *b, const sip_t *request)
{
	const char *why;
	sip_t *sip;
	msg_t *msg = sip_message_parse(buf_text(b), b->len, &sip, &why);

	if (msg == NULL)
		return; /* the parser takes hosts with blanks and the like, and cannot read what it prints */
	assert(sip->sip_status->st_status == 481 && sip->sip_cseq->cs_seq == request->sip_cseq->cs_seq);
	assert(strcmp(sip->sip_cseq->cs_method_name, request->sip_cseq->cs_method_name) == 0);
	assert(strpbrk(request->sip_call_id->i_id, "\r\n") != NULL || /* folded */
	    strcmp(sip->sip_call_id->i_id, request->sip_call_id->i_id) == 0);
	assert(sip->sip_payload == NULL && sip->sip_allow != NULL);
	msg_destroy(msg);
}

static void check_answer(const sip_t *request, const char *received)
{
	size_t lines = 8; /* status, From, To, Call-ID, CSeq, Allow, Content-Length, the empty one */
	struct buf b;

	for (const sip_via_t *v = request->sip_via; v != NULL; v = v->v_next)
		lines++;
	buf_init(&b, MAX_ANSWER);
	sip_message_answer(&b, request, 481, sip_phrase(481), "tag", "Allow: NOTIFY\r\n", received, 5060);
	if (!b.failed) {
		assert(count_lines(buf_text(&b), b.len) == lines);
		check_again(&b, request);
	}
	buf_done(&b);
}

static void check_request(msg_t *msg, const sip_t *sip)
{
	char *uri = url_as_string(msg_home(msg), sip->sip_request->rq_url);

	check_answer(sip, NULL);
	check_answer(sip, "192.0.2.9");
	check_answer(sip, "2001:db8::9");
	assert(uri != NULL);
	if (sip_uri_is_good(uri))
		assert(strpbrk(uri, " \t\r\n<>\"") == NULL && strlen(uri) <= 512);
}

/* One line, whatever the server put into its challenge. */
static void check_challenge(const sip_t *sip)
{
	const struct digest_identity who = { "user", "password" };
	struct digest_challenge c = { 0 };
	const char *why;
	struct buf b;

	if (!digest_take(&c, sip, &why)) {
		assert(why != NULL && !c.set);
		return;
	}
	buf_init(&b, MAX_ANSWER);
	digest_put(&b, &c, &who, "SUBSCRIBE", "sip:a@b", "0123456789abcdef");
	assert(!b.failed && strcspn(buf_text(&b), "\r\n") == b.len - 2);
	assert(c.set && c.count == 1 && c.proxy == (sip->sip_status->st_status == 407));
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *why = NULL;
	sip_t *sip;
	msg_t *msg = sip_message_parse((const char *)data, len, &sip, &why);

	assert((msg == NULL) == (why != NULL));
	if (msg == NULL)
		return 0;
	if (sip->sip_request != NULL)
		check_request(msg, sip);
	else if (sip->sip_status->st_status == 401 || sip->sip_status->st_status == 407)
		check_challenge(sip);
	msg_destroy(msg);
	return 0;
}
