/* test_csta_random.c: random lives of a telephone switch, and what is said of its lines in the end.
 * SPDX-License-Identifier: MIT
 *
 * Whatever is lost, repeated, late or out of order: when all is quiet and the lines have been verified, what was last said
 * of each is what is true. Where nothing is lost, it is so after every single operation.
 *
 * SEED=n repeats a run, ONLY=n one of its sequences with all that happens in it, RUNS=n is how many there are, SECONDS=n
 * after which no more begin.
 */
#include "tests/unit/csta_switch_world.h"

#include <inttypes.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RUNS 20000

static uint64_t the_seed; /* 0: not known yet */

/* In the place of the system's: the secret of hash tables decides which line is asked first, and is repeated with the rest. */
ssize_t getrandom(void *buf, size_t size, unsigned flags)
{
	if (the_seed == 0)
		return syscall(SYS_getrandom, buf, size, flags);
	for (size_t i = 0; i < size; i++)
		((unsigned char *)buf)[i] = (unsigned char)(the_seed >> i % 8 * 8) | 1;
	return (ssize_t)size;
}

/* --- a world --------------------------------------------------------------------------------------- */

static void choose_dialect(struct world *w)
{
	w->t.dialect = (struct dialect){ .local = w->faithful || random_below(2) == 0,
		.form = random_below(FORM_COUNT),
		.shape = random_below(SHAPE_COUNT),
		.bare = random_below(4) == 0,
		.own_ids = random_below(4) == 0,
		.two_r = random_below(2) == 0,
		.terse = random_below(4) == 0,
		.no_dnd = random_below(8) == 0,
		.no_target = random_below(4) == 0,
		.late_snapshots = random_below(2) == 0,
		.reuse = random_below(3) == 0 ? 30 : 0 };
}

static void choose_channel(struct world *w)
{
	static const size_t chances[] = { 0, 10, 50, 200, 500 }, delays[] = { 0, 0, 50, 400, 3000 };
	struct channel *c = &w->channel;

	c->answer_delay = delays[random_below(COUNT_OF(delays))];
	c->slow_answers = random_below(10) == 0 ? 100 : 0;
	if (w->faithful)
		return;
	c->lose = chances[random_below(COUNT_OF(chances))];
	c->repeat = chances[random_below(4)];
	c->straggle = random_below(3) == 0 ? chances[random_below(4)] : 0;
	c->delay = delays[random_below(COUNT_OF(delays))];
	c->reorder = random_below(3) == 0;
	c->fifo = random_below(4) == 0 && c->straggle == 0 && !c->reorder && c->answer_delay < 1000 &&
	    c->delay < 1000 && c->slow_answers == 0;
	c->busy = random_below(10) == 0 ? 100 : 0;
}

static void choose_features(struct tele *t)
{
	for (int p = 0; p < (int)t->devices; p++) {
		struct device *d = &t->device[p];

		d->in_service = random_below(20) != 0;
		d->dnd = random_below(4) == 0;
		for (int kind = 0; kind < FORWARDS; kind++)
			if (random_below(4) == 0) {
				d->forwards[kind].programmed = true;
				d->forwards[kind].on = random_below(3) == 0;
				d->forwards[kind].to = PARTIES - 1;
			}
	}
}

static void watch(struct world *w, int p)
{
	note(&w->t, "%s is watched", numbers[p]);
	w->t.device[p].watched = true;
	make_unsure(&w->t, p);
	assert_int_equal(csta_monitors_watch(w->monitors, numbers[p]), 0);
}

static void begin_monitors(struct world *w)
{
	static const int64_t rates[] = { 1, 10, 100 }, polls[] = { 0, 0, 0, 0, 0, 0, 20000 };
	const struct csta_transport wire = { .send = on_send, .arg = w };
	const struct csta_monitors_owner owner = {
		.said = on_said, .same = on_same, .own = on_same, .settled = on_settled, .arg = w
	};
	const struct csta_monitors_settings settings = {
		.xml_namespace = "http://www.ecma-international.org/standards/ecma-323/csta/ed3",
		.rate = rates[random_below(COUNT_OF(rates))],
		.poll = polls[random_below(COUNT_OF(polls))]
	};

	w->in_flight = random_below(2) == 0 ? 16 : w->channel.answer_delay > 400 ? 4 : 1 + random_below(3);
	w->exchange = csta_exchange_new(&wire, w->in_flight);
	assert_non_null(w->exchange);
	set_time(w, START_MS);
	w->monitors = csta_monitors_new(&settings, w->exchange, &owner);
	assert_non_null(w->monitors);
}

static struct world *begin_world(bool trace, enum mutant mutant)
{
	static struct world world;
	struct world *w = &world;

	memset(w, 0, offsetof(struct world, wrong) + 1);
	w->t.tell = send_event;
	w->t.stop = send_stop;
	w->t.trace = trace;
	w->t.last_id = 9000;
	w->t.devices = 2 + random_below(DEVICES - 1);
	w->counting = true;
	w->mutant = mutant;
	w->faithful = random_below(4) == 0;
	if (mutant != NO_MUTANT)
		w->faithful = mutant == ONE_EVENT_LESS;
	choose_dialect(w);
	choose_channel(w);
	choose_features(&w->t);
	begin_monitors(w);
	return w;
}

static void drop_items(struct world *w)
{
	while (w->item_count > 0)
		free_item(w->items[--w->item_count]);
}

static void end_world(struct world *w)
{
	struct csta_monitors_stats stats;

	csta_monitors_stats(w->monitors, &stats);
	totals.doubts += stats.doubts;
	totals.faithful_doubts += w->faithful ? stats.doubts : 0;
	totals.sequences++;
	totals.faithful += w->faithful;
	w->closing = true;
	csta_monitors_free(w->monitors);
	csta_exchange_free(w->exchange);
	drop_items(w);
	for (size_t i = 0; i < DEVICES; i++)
		free(w->old_snapshots[i]);
}

/* --- what is true ---------------------------------------------------------------------------------- */

static int true_line(const struct tele *t, int p)
{
	bool is[FAIL + 1] = { false };

	if (!t->device[p].in_service)
		return LINE_OFFLINE;
	for (size_t i = 0; i < CALLS; i++)
		if (t->calls[i].used)
			is[t->calls[i].at[p]] = true;
	if (is[CONNECTED] || is[INITIATED] || is[FAIL])
		return LINE_BUSY;
	return is[ALERTING] ? LINE_RINGING : is[HOLD] ? LINE_HELD : LINE_IDLE;
}

/* What may be said of the state of a call, as bits; 0: it is not listed. Whether the far end takes part is open where a
 * call was given to somebody who had not answered; and where late events of another call with the same id may have said
 * that it is one that came in, in which nobody has to answer any more. */
static unsigned true_states(const struct call *c, int p)
{
	switch (c->at[p]) {
	case INITIATED:
	case FAIL:
		return 1u << CALL_STATE_DIALING;
	case ALERTING:
		return 1u << CALL_STATE_RINGING;
	case HOLD:
		return 1u << CALL_STATE_HELD;
	case CONNECTED:
		if (c->loose)
			return 1u << CALL_STATE_CONNECTED | 1u << CALL_STATE_DIALING;
		if (answered_for(c, p))
			return 1u << CALL_STATE_CONNECTED;
		return 1u << CALL_STATE_DIALING | (c->reused ? 1u << CALL_STATE_CONNECTED : 0);
	default:
		return 0;
	}
}

/* Who calls whom is said right, or not at all; where every event was heard, it must be said. */
static bool parties_fit(const struct world *w, const struct call *c, int p, const struct call_heard *h)
{
	bool out = c->calling == p, must = w->faithful && c->heard[p];
	int other = out ? c->called : c->calling;
	char text[64];

	if (!c->plain || (c->reused && !must))
		return true;
	if (h->direction != (out ? DIRECTION_OUT : DIRECTION_IN))
		return h->direction == -1 && !must;
	if (other < 0 || (!out && c->withheld))
		return !h->has_peer;
	if (!h->has_peer)
		return !must;
	return strcmp(h->peer, shown(w->t.dialect.form, other, text)) == 0;
}

static bool call_fits(const struct world *w, const struct call *c, int p, const struct call_heard *h)
{
	return (true_states(c, p) >> h->state & 1) != 0 && parties_fit(w, c, p, h);
}

/* Each call that there is, from `at` on, is one of those that are said and not taken. */
static bool calls_fit(const struct world *w, int p, size_t at, unsigned taken)
{
	const struct said *s = &w->said[p];

	while (at < CALLS && (!w->t.calls[at].used || true_states(&w->t.calls[at], p) == 0))
		at++;
	if (at == CALLS)
		return count_of(taken) == (int)s->call_count;
	for (size_t i = 0; i < s->call_count; i++)
		if ((taken >> i & 1) == 0 && call_fits(w, &w->t.calls[at], p, &s->calls[i]) &&
		    calls_fit(w, p, at + 1, taken | 1u << i))
			return true;
	return false;
}

static void explain_calls(struct world *w, int p)
{
	const struct said *s = &w->said[p];
	char text[1024] = "";
	size_t len = 0;

	for (size_t i = 0; i < CALLS; i++)
		if (w->t.calls[i].used && w->t.calls[i].at[p] != GONE)
			len += (size_t)snprintf(
			    text + len, sizeof text - len, " %d %s,", w->t.calls[i].id, end_names[w->t.calls[i].at[p]]);
	len += (size_t)snprintf(text + len, sizeof text - len, " but said is");
	for (size_t i = 0; i < s->call_count && len < sizeof text; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, " [%s %d %s]",
		    vocab_name(&vocab_call_state, s->calls[i].state), s->calls[i].direction, s->calls[i].peer);
	wrong(w, "calls of %s:%s", numbers[p], text);
}

static bool is_monitored(const struct world *w, int p)
{
	for (size_t i = 0; i < w->t.monitor_count; i++)
		if (w->t.monitors[i].device == p && w->t.monitors[i].live && w->t.monitors[i].known)
			return true;
	return false;
}

static void check_features(struct world *w, int p, bool in_the_end)
{
	const struct device *d = &w->t.device[p];
	const struct said *s = &w->said[p];
	int to = forwarded_to(d);
	bool dnd = (s->known & RAW_DND) != 0, forward = (s->known & RAW_FORWARD) != 0;
	char text[64];

	/* A device out of service cannot be monitored, so nobody asks; it is to be unknown then. */
	in_the_end = in_the_end && (d->in_service || is_monitored(w, p));
	if (w->t.dialect.no_dnd && (w->disturbed || !w->faithful))
		dnd = false; /* only events can tell, and some may not have come */
	if (dnd && s->dnd != d->dnd)
		wrong(w, "do not disturb of %s is %d", numbers[p], d->dnd);
	if (in_the_end && !w->t.dialect.no_dnd && !dnd)
		wrong(w, "do not disturb of %s is not known", numbers[p]);
	if (in_the_end && !forward)
		wrong(w, "forwarding of %s is not known", numbers[p]);
	if (forward && s->forwarded != (to >= 0))
		wrong(w, "forwarding of %s is %s", numbers[p], to < 0 ? "none" : numbers[to]);
	if (!forward || to < 0 || (!in_the_end && !s->has_target && w->t.dialect.no_target))
		return;
	if (!s->has_target || strcmp(s->target, shown(w->t.dialect.form, to, text)) != 0)
		wrong(w, "%s is forwarded to %s, not to %s", numbers[p], numbers[to], s->target);
}

static void check_line(struct world *w, int p, bool in_the_end)
{
	const struct said *s = &w->said[p];
	int line = true_line(&w->t, p);

	if (!in_the_end && s->status == STATE_STATUS_STALE && w->channel.slow_answers > 0)
		return; /* an answer has not come in time */
	if (!s->any || s->status != STATE_STATUS_OK) {
		wrong(w, "%s: %s", numbers[p], s->any ? vocab_name(&vocab_state_status, s->status) : "nothing is said");
		return;
	}
	if ((s->known & RAW_LINE) == 0 || (s->known & RAW_CALLS) == 0 || s->line != line)
		wrong(w, "the line of %s is %s", numbers[p], vocab_name(&vocab_line, line));
	if (!calls_fit(w, p, 0, 0))
		explain_calls(w, p);
	if (in_the_end || w->t.device[p].unsure_features == 0)
		check_features(w, p, in_the_end);
}

/* --- what may happen ------------------------------------------------------------------------------- */

static void expect_settled(struct world *w, bool all)
{
	w->settling = true;
	for (int p = 0; p < DEVICES && all; p++)
		w->owed[p] = w->t.device[p].watched && w->channel.busy == 0;
}

static void be_ready(struct world *w)
{
	note(&w->t, "ready");
	w->ready = true;
	csta_monitors_ready(w->monitors);
	expect_settled(w, true);
}

static void all_unsure(struct world *w)
{
	w->counting = false;
	w->disturbed = true;
	for (int p = 0; p < (int)w->t.devices; p++)
		make_unsure(&w->t, p);
}

static void some_unheard(struct world *w)
{
	w->t.mute = true;
	for (size_t n = random_below(4); n > 0; n--)
		do_something(&w->t);
	w->t.mute = false;
}

/* The switch says messagesLost. */
static void lose_messages(struct world *w)
{
	note(&w->t, "messages are lost");
	some_unheard(w);
	all_unsure(w);
	csta_monitors_ask_all(w->monitors);
	expect_settled(w, false);
}

static void stop_all_monitors(struct world *w, bool also_new)
{
	for (size_t i = 0; i < w->t.monitor_count; i++)
		w->t.monitors[i].live = w->t.monitors[i].live && !also_new && !w->t.monitors[i].known;
}

static void wait_a_little(struct world *w)
{
	static const size_t most[] = { 1, 100, 100, 100, 1000, 5000 };

	run_until(w, w->t.now + (int64_t)random_below(most[random_below(COUNT_OF(most))]));
}

static void lose_connection(struct world *w)
{
	note(&w->t, "the connection is lost");
	drop_items(w);
	csta_exchange_lost(w->exchange);
	csta_monitors_lost(w->monitors);
	w->settling = w->ready = false;
	w->out_count = 0;
	stop_all_monitors(w, true);
	some_unheard(w);
	all_unsure(w);
	wait_a_little(w);
	be_ready(w);
}

/* disabled, enabled: what was asked before may still be answered, and a monitor that is being started will be there. */
static void restart(struct world *w)
{
	note(&w->t, "the switch starts anew");
	csta_monitors_asleep(w->monitors);
	w->settling = w->ready = false;
	stop_all_monitors(w, false);
	some_unheard(w);
	all_unsure(w);
	wait_a_little(w);
	be_ready(w);
}

static void change_watched(struct world *w)
{
	int p = any_device(&w->t);

	if (!w->t.device[p].watched) {
		w->owed[p] = false;
		watch(w, p);
		return;
	}
	note(&w->t, "%s is not watched any more", numbers[p]);
	w->counting = false;
	w->disturbed = true;
	w->t.device[p].watched = w->owed[p] = false;
	w->said[p].any = false;
	make_unsure(&w->t, p);
	csta_monitors_unwatch(w->monitors, numbers[p]);
}

static void befall(struct world *w)
{
	switch (random_below(8)) {
	case 0:
		lose_messages(w);
		break;
	case 1:
		lose_connection(w);
		break;
	case 2:
		restart(w);
		break;
	case 3:
		change_watched(w);
		break;
	case 4:
		csta_monitors_slow(w->monitors, random_below(2) == 0);
		w->counting = false;
		break;
	case 5:
		run_until(w, w->t.now + 31000);
		break;
	default:
		do_stop_monitor(&w->t);
	}
}

/* --- a sequence ------------------------------------------------------------------------------------ */

static void check_now(struct world *w)
{
	for (int p = 0; p < (int)w->t.devices && w->faithful; p++)
		if (w->t.device[p].watched && w->t.device[p].unsure == 0)
			check_line(w, p, false);
}

/* Where nothing was lost, all is known and true without a verification, as soon as what was asked is answered, doubts
 * included: no two are more than 30 s apart. */
static void check_without_verification(struct world *w)
{
	if (!w->faithful || w->channel.slow_answers > 0)
		return;
	run_until(w, w->t.now + 40000);
	for (int tries = 0; tries < 200 && (w->item_count > 0 || csta_in_flight(w->exchange) > 0); tries++)
		run_until(w, w->t.now + 1000);
	for (int p = 0; p < (int)w->t.devices && w->wrong[0] == '\0'; p++)
		if (w->t.device[p].watched && is_monitored(w, p))
			check_line(w, p, true);
}

/* What is late still comes, also after the first answers; the lines are verified every 30 s, as whoever shows them does.
 * All is in by the second time; it is done twice more in some sequences only, to see that nothing changes. */
static void come_to_rest(struct world *w)
{
	int rounds = random_below(8) == 0 ? 4 : w->faithful ? 1 : 2;

	w->over = true;
	note(&w->t, "nothing more happens");
	for (int round = 0; round < 4; round++) {
		for (int p = 0; p < DEVICES && round < rounds; p++)
			if (w->t.device[p].watched)
				csta_monitors_verify(w->monitors, numbers[p]);
		run_until(w, w->t.now + 30000);
	}
	for (int p = 0; p < DEVICES; p++)
		if (w->t.device[p].watched && w->wrong[0] == '\0')
			check_line(w, p, true);
	if (w->settling)
		wrong(w, "settled() was not called");
}

static bool live(struct world *w)
{
	for (int p = 0; p < (int)w->t.devices; p++)
		if (p == 0 || random_below(4) != 0)
			watch(w, p);
	for (size_t n = random_below(4); n > 0; n--)
		do_something(&w->t);
	be_ready(w);
	run_until(w, w->t.now + (random_below(3) == 0 ? 0 : 5000));
	for (size_t n = 5 + random_below(25); n > 0 && w->wrong[0] == '\0'; n--) {
		totals.operations++;
		if (random_below(40) == 0)
			befall(w);
		else
			do_something(&w->t);
		run_until(w, w->t.now);
		check_now(w);
		wait_a_little(w);
		check_now(w);
	}
	check_without_verification(w);
	come_to_rest(w);
	return w->wrong[0] == '\0';
}

/* Sequence n of a run; false and what is wrong. */
static bool run_sequence(uint64_t seed, uint64_t n, bool trace, enum mutant mutant, char *ret, size_t size)
{
	struct world *w;
	bool right;

	random_state = seed + n * 0xd1342543de82ef95;
	random_state = random_next();
	w = begin_world(trace, mutant);
	if (trace)
		printf("faithful %d local %d shape %d late snapshots %d lose %zu repeat %zu straggle %zu delay %zu "
		       "reorder %d fifo %d answers %zu slow %zu busy %zu\n",
		    w->faithful, w->t.dialect.local, w->t.dialect.shape, w->t.dialect.late_snapshots, w->channel.lose,
		    w->channel.repeat, w->channel.straggle, w->channel.delay, w->channel.reorder, w->channel.fifo,
		    w->channel.answer_delay, w->channel.slow_answers, w->channel.busy);
	right = live(w);
	snprintf(ret, size, "%s", w->wrong);
	end_world(w);
	return right;
}

/* --- tests ----------------------------------------------------------------------------------------- */

static uint64_t number_from(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text == NULL ? usual : strtoull(text, NULL, 0);
}

static int open_reader(void **state)
{
	(void)state;
	reader = xml_reader_new();
	return reader == NULL ? -1 : 0;
}

static int close_reader(void **state)
{
	(void)state;
	xml_reader_free(reader);
	return 0;
}

static void show_totals(void)
{
	const struct totals *s = &totals;

	printf("%" PRIu64 " sequences (%" PRIu64 " without a loss), %" PRIu64 " operations, %" PRIu64
	       " events: %" PRIu64 " lost, %" PRIu64 " repeated, %" PRIu64 " late\n",
	    s->sequences, s->faithful, s->operations, s->events, s->lost, s->repeated, s->late);
	printf("%" PRIu64 " snapshots, %" PRIu64 " segments, %" PRIu64 " said, %" PRIu64 " corrections, %" PRIu64
	       " doubts (%" PRIu64 " without a loss), %" PRIu64 " settled, %" PRIu64 " monitors stopped\n",
	    s->snapshots, s->segments, s->said, s->corrections, s->doubts, s->faithful_doubts, s->settled, s->stopped);
}

static void fail_sequence(uint64_t seed, uint64_t n, const char *why)
{
	char again[2048];

	printf("SEED=%" PRIu64 " ONLY=%" PRIu64 ": %s\n", seed, n, why);
	run_sequence(seed, n, true, NO_MUTANT, again, sizeof again);
	fail_msg("SEED=%" PRIu64 " ONLY=%" PRIu64 ": %s", seed, n, why);
}

static void test_whatever_happens_the_truth_is_said_in_the_end(void **state)
{
	uint64_t runs = number_from("RUNS", RUNS), only = number_from("ONLY", UINT64_MAX), seed;
	time_t end = time(NULL) + (time_t)number_from("SECONDS", 1000000);
	char why[2048];

	(void)state;
	random_begin("csta_random");
	seed = the_seed = random_state;
	totals = (struct totals){ 0 };
	for (uint64_t n = only == UINT64_MAX ? 0 : only; n < runs && time(NULL) <= end; n++) {
		if (!run_sequence(seed, n, only != UINT64_MAX, NO_MUTANT, why, sizeof why))
			fail_sequence(seed, n, why);
		if (only != UINT64_MAX)
			break;
	}
	show_totals();
}

static size_t noticed(enum mutant mutant, size_t runs)
{
	size_t count = 0;
	char why[2048];

	for (uint64_t n = 0; n < runs; n++)
		count += !run_sequence(1, n, false, mutant, why, sizeof why);
	return count;
}

/* The test can fail: on a switch that answers what was true some time ago, on one event that is lost where none is said
 * to be, and if the last word is not heard. */
static void test_a_fault_is_noticed(void **state)
{
	(void)state;
	assert_in_range(noticed(OLD_SNAPSHOTS, 100), 5, 100);
	assert_in_range(noticed(ONE_EVENT_LESS, 100), 5, 100);
	assert_in_range(noticed(LAST_WORD_LOST, 100), 5, 100);
	assert_int_equal(noticed(NO_MUTANT, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_happens_the_truth_is_said_in_the_end),
		cmocka_unit_test(test_a_fault_is_noticed),
	};

	return cmocka_run_group_tests(tests, open_reader, close_reader);
}
