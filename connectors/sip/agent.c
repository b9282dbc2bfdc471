/* agent.c: from what a request wants to say to its bytes, and once more with credentials.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sip/message.h"
#include "connectors/sip/sip_spec.h"

#define MAX_CHALLENGES 3 /* of one request; more only says that nonces expire at once */

struct agent {
	struct agent_settings settings;
	struct transactions *transactions;
	int64_t now;
	char address[80]; /* host:port for Via */
	char contact[160];
	struct digest_challenge challenges[2]; /* of servers (401), of proxies (407) */
	bool let_in[2];			       /* with our answer to that one */
	char foreign[DIGEST_TEXT_SIZE];	       /* a realm that refused us while another one lets us in */
	char refusal[400];
};

struct agent *agent_new(const struct agent_settings *settings, int64_t now)
{
	struct agent *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->settings = *settings;
	a->now = now;
	a->transactions = transactions_new(&settings->wire, now);
	if (a->transactions == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

void agent_free(struct agent *a)
{
	if (a == NULL)
		return;
	transactions_free(a->transactions);
	explicit_bzero(a->challenges, sizeof a->challenges);
	free(a);
}

void agent_set_time(struct agent *a, int64_t now)
{
	a->now = now;
}

int64_t agent_time(const struct agent *a)
{
	return a->now;
}

static void put_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

static void put_address(char *buf, size_t size, const char *host, uint16_t port)
{
	bool v6 = strchr(host, ':') != NULL;

	snprintf(buf, size, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

void agent_set_address(
    struct agent *a, const char *host, uint16_t port, const char *contact_host, uint16_t contact_port)
{
	char transport[8], contact[80];

	snprintf(transport, sizeof transport, "%s", a->settings.transport);
	put_lower(transport);
	put_address(a->address, sizeof a->address, host, port);
	put_address(contact, sizeof contact, contact_host, contact_port);
	snprintf(a->contact, sizeof a->contact, "<sip:presenced@%s;transport=%s>", contact, transport);
}

const char *agent_refusal(const struct agent *a)
{
	return a->refusal;
}

size_t agent_in_flight(const struct agent *a)
{
	return transactions_count(a->transactions);
}

/* --- sending --------------------------------------------------------------------------------------- */

static bool is_reliable(const struct agent *a)
{
	return strcmp(a->settings.transport, "UDP") != 0;
}

static void put_credentials(struct agent *a, const struct agent_request *r, struct buf *b)
{
	char cnonce[24];

	for (size_t i = 0; i < 2; i++) {
		if (!a->challenges[i].set || a->settings.identity.password == NULL)
			continue;
		snprintf(cnonce, sizeof cnonce, "%08x%08x", arc4random(), arc4random());
		digest_put(b, &a->challenges[i], &a->settings.identity, r->method, r->uri, cnonce);
	}
}

static void put_request(struct agent *a, const struct agent_request *r, const char *branch, struct buf *b)
{
	buf_printf(b, "%s %s SIP/2.0\r\n", r->method, r->uri);
	buf_printf(b, "Via: SIP/2.0/%s %s;branch=%s%s\r\n", a->settings.transport, a->address, branch,
	    is_reliable(a) ? "" : ";rport");
	buf_puts(b, "Max-Forwards: 70\r\n");
	buf_puts(b, r->route);
	buf_printf(b, "From: <%s>;tag=%s\r\n", a->settings.uri, r->from_tag);
	buf_printf(b, "To: <%s>%s%s\r\n", r->to, r->to_tag == NULL ? "" : ";tag=", r->to_tag == NULL ? "" : r->to_tag);
	buf_printf(b, "Call-ID: %s\r\n", r->call_id);
	buf_printf(b, "CSeq: %u %s\r\n", ++*r->cseq, r->method);
	buf_printf(b, "Contact: %s\r\n", a->contact);
	put_credentials(a, r, b);
	buf_puts(b, r->headers);
	buf_puts(b, "User-Agent: presenced/" PRESENCED_VERSION "\r\nContent-Length: 0\r\n\r\n");
}

static void on_answer(void *arg, const sip_t *answer, int status);

static int send_once(struct agent *a, struct agent_call *call)
{
	struct agent_request r = { .route = "", .headers = "" };
	struct transaction *t;
	struct buf b;
	int status = -EMSGSIZE;

	call->type->compose(call, &r);
	t = transaction_new(a->transactions, r.method, on_answer, call);
	if (t == NULL)
		return -ENOMEM;
	buf_init(&b, SIP_MAX_REQUEST);
	put_request(a, &r, transaction_branch(t), &b);
	call->agent = a;
	call->transaction = t;
	call->elsewhere = a->settings.domain != NULL && !sip_uri_is_at(r.to, a->settings.domain);
	if (b.failed || (!is_reliable(a) && b.len > SIP_DATAGRAM_MAX))
		transaction_cancel(a->transactions, t);
	else
		status = transaction_send(
		    a->transactions, t, &b, is_reliable(a), r.timeout > 0 ? r.timeout : SIP_TIMER_F_MS, a->now);
	if (status < 0)
		call->transaction = NULL;
	buf_done(&b);
	return status;
}

int agent_send(struct agent *a, struct agent_call *call)
{
	call->challenges[0] = call->challenges[1] = 0;
	return send_once(a, call);
}

void agent_cancel(struct agent_call *call)
{
	if (call->transaction == NULL)
		return;
	transaction_cancel(call->agent->transactions, call->transaction);
	call->transaction = NULL;
}

/* --- answers --------------------------------------------------------------------------------------- */

static bool is_foreign(
    const struct agent *a, const struct agent_call *call, size_t which, const struct digest_challenge *asked)
{
	if (!call->type->passed_on)
		return false;
	if (a->let_in[which]) /* a server of ours may have been given another realm */
		return call->elsewhere && strcmp(asked->realm, a->challenges[which].realm) != 0;
	if (a->let_in[!which])
		return strcmp(asked->realm, a->foreign) == 0;
	return call->elsewhere;
}

static int foreign(struct agent *a, const struct digest_challenge *asked)
{
	snprintf(a->refusal, sizeof a->refusal,
	    "the address belongs to somebody who asks for a password of their own (realm %.100s)", asked->realm);
	return -EREMOTE;
}

/* It has refused our answer. The next request must not be one more wrong attempt. */
static int refused(struct agent *a, const struct agent_call *call, size_t which)
{
	struct digest_challenge *c = &a->challenges[which];

	c->set = false;
	if (call->type->passed_on && !a->let_in[which] && a->let_in[!which]) {
		memcpy(a->foreign, c->realm, sizeof a->foreign);
		return foreign(a, c);
	}
	snprintf(a->refusal, sizeof a->refusal,
	    "the server refuses the password of %.100s (realm %.100s): correct user and password_file",
	    a->settings.identity.user, c->realm);
	return -EACCES;
}

static int no_password(struct agent *a, const struct digest_challenge *asked)
{
	snprintf(a->refusal, sizeof a->refusal,
	    "the server asks %s for a password (realm %.100s): set user and password_file", a->settings.identity.user,
	    asked->realm);
	return -EACCES;
}

/* Answer a challenge: 0; -EACCES: nothing (more) can be said to it; -EREMOTE: nor should be; or why it could not be
 * sent. The first one is always answered: a nonce that has expired looks like a wrong password where the server does
 * not say stale. A challenge to the answer of a challenge is a refusal. */
static int answer_challenge(struct agent *a, struct agent_call *call, const sip_t *answer, int status)
{
	size_t which = status == 407;
	struct digest_challenge asked = { 0 };
	const char *why = NULL;

	if (!digest_take(&asked, answer, &why)) {
		snprintf(a->refusal, sizeof a->refusal, "%s", why);
		return -EACCES;
	}
	if (is_foreign(a, call, which, &asked))
		return foreign(a, &asked);
	if (a->settings.identity.password == NULL)
		return no_password(a, &asked);
	if (strcmp(asked.realm, a->challenges[which].realm) != 0)
		a->let_in[which] = false;
	a->challenges[which] = asked;
	if (call->challenges[which] > 0 && (!asked.stale || call->challenges[which] == MAX_CHALLENGES))
		return refused(a, call, which);
	call->challenges[which]++;
	return send_once(a, call);
}

/* Whose challenge was answered lets us in, unless the answer says otherwise. */
static void note_let_in(struct agent *a, const struct agent_call *call, int status)
{
	for (size_t i = 0; i < 2; i++)
		if (call->challenges[i] > 0 && status != 403)
			a->let_in[i] = true;
}

static void on_answer(void *arg, const sip_t *answer, int status)
{
	struct agent_call *call = arg;
	struct agent *a = call->agent;

	call->transaction = NULL;
	if ((status == 401 || status == 407) && answer != NULL) {
		int r = answer_challenge(a, call, answer, status);

		if (r == 0)
			return;
		status = r == -EACCES ? status : r == -EREMOTE ? SIP_FOREIGN : r == -EMSGSIZE ? SIP_TOO_LONG : SIP_LOST;
		answer = NULL;
	} else if (answer != NULL) {
		note_let_in(a, call, status);
	}
	call->type->answered(call, answer, status);
}

void agent_answer(struct agent *a, const sip_t *answer)
{
	transactions_answer(a->transactions, answer, a->now);
}

void agent_lost(struct agent *a)
{
	transactions_lost(a->transactions);
}

void agent_run(struct agent *a)
{
	transactions_run(a->transactions, a->now);
}

int64_t agent_deadline(const struct agent *a)
{
	return transactions_deadline(a->transactions);
}
