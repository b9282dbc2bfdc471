/* core.c: what a raw state, a composition and a user cost in the pure core, in virtual time.
 * SPDX-License-Identifier: MIT
 *
 * core USERS ROUNDS: USERS people known to two sources, one for each half; ROUNDS raw states a source and
 * user. One line of JSON.
 */
#include <malloc.h>
#include <stdbool.h>

#include "daemon/aggregator.h"
#include "tests/bench/bench.h"

#define TURN_STATES 400 /* raw states between two compositions: what one read of a feed holds */
#define NOON	    1795176000000

struct core {
	struct aggregator *a;
	struct directory *d;
	struct agg_source *rich, *telephony;
	struct instant now;
	bool demanded;
	size_t users;
	char (*ids)[24];
	int64_t taking_ns, composing_ns; /* of the running measurement */
};

static int on_watch(void *owner, const char *address, enum domain domain)
{
	(void)owner;
	(void)address;
	(void)domain;
	return 0;
}

static void on_unwatch(void *owner, const char *address, enum domain domain)
{
	(void)on_watch(owner, address, domain);
}

static bool on_address(void *owner, const struct user_fields *user, enum domain domain, char *buf, size_t size)
{
	(void)domain;
	return user_address(user, USER_ID, owner, buf, size);
}

static bool on_demanded(void *arg, const struct user *user)
{
	(void)user;
	return ((const struct core *)arg)->demanded;
}

static const struct aggregator_host host = {
	.watch = on_watch, .unwatch = on_unwatch, .verify = on_unwatch, .address = on_address, .demanded = on_demanded
};

static void on_user(void *arg, struct user *user)
{
	(void)arg;
	(void)user;
}

static void on_change(
    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count)
{
	(void)old;
	(void)left;
	(void)left_count;
	on_user(arg, user);
}

static const struct directory_observer observer = { on_user, on_change, on_user, NULL };

static size_t bytes_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void run_all(struct core *c)
{
	while (aggregator_run(c->a, c->now, 2000))
		;
}

static void add_users(struct core *c)
{
	char name[48];

	for (size_t i = 0; i < c->users; i++) {
		snprintf(c->ids[i], sizeof c->ids[i], "u%06zu", i);
		snprintf(name, sizeof name, "Person Number %zu", i);
		if (directory_set(c->d,
			user_fields_new(&(struct user_columns){
			    .values = {
				[USER_ID] = c->ids[i], [USER_NAME] = name, [USER_EXTENSION] = c->ids[i] + 1 } })) < 0)
			die("directory_set");
	}
}

static void know_users(struct core *c)
{
	for (struct user *u = directory_after(c->d, ""); u != NULL; u = directory_next(u))
		if (aggregator_user_added(c->a, u, c->now) < 0)
			die("aggregator_user_added");
	run_all(c);
}

static struct agg_source *add_source(
    struct core *c, const char *name, enum technology technology, int position, enum domain domain)
{
	struct agg_source *s =
	    aggregator_add_source(c->a, name, technology, position, 1u << domain, (void *)(uintptr_t)name);

	aggregator_source_status(c->a, s, 1u << domain, SOURCE_STATUS_UP, NULL, c->now);
	aggregator_source_resumed(c->a, s, 1u << domain, c->now);
	return s;
}

/* One state of each half; `round` even or odd tells which of two. */
static void say_both(struct core *c, const char *address, size_t round)
{
	bool busy = round % 2 == 1;
	const struct raw_call call = {
		.state = CALL_STATE_CONNECTED, .direction = DIRECTION_IN, .peer = "+442070846845", .name = "A. Caller"
	};
	const struct raw_facts rich = { .domain = DOMAIN_RICH,
		.known = RAW_AVAILABILITY | RAW_NOTE,
		.availability = busy ? AVAILABILITY_BUSY : AVAILABILITY_AVAILABLE,
		.note = busy ? "Board room" : NULL };
	const struct raw_facts line = { .domain = DOMAIN_TELEPHONY,
		.known = RAW_LINE | RAW_DND | RAW_CALLS,
		.line = busy ? LINE_BUSY : LINE_IDLE,
		.call_count = busy,
		.calls = &call };

	if (aggregator_raw_state(c->a, c->rich, address, &rich, c->now) < 0 ||
	    aggregator_raw_state(c->a, c->telephony, address, &line, c->now) < 0)
		die("aggregator_raw_state");
}

/* Say both halves of everybody, composing as often as the daemon would. */
static void say_all(struct core *c, size_t round)
{
	for (size_t i = 0; i < c->users;) {
		int64_t began = now_ns(), said;

		for (size_t n = 0; n < TURN_STATES && i < c->users; n += 2)
			say_both(c, c->ids[i++], round);
		said = now_ns();
		c->now.mono++;
		c->now.wall++;
		run_all(c);
		c->taking_ns += said - began;
		c->composing_ns += now_ns() - said;
	}
}

static double per(int64_t total, uint64_t count)
{
	return count == 0 ? 0 : (double)total / (double)count;
}

static void measure_time(struct core *c, size_t rounds)
{
	struct aggregator_stats before, after;
	uint64_t states = (uint64_t)c->users * rounds * 2;

	aggregator_stats(c->a, &before);
	c->taking_ns = c->composing_ns = 0;
	for (size_t r = 0; r < rounds; r++)
		say_all(c, r);
	aggregator_stats(c->a, &after);
	printf(",\"change_ns\":%.0f,\"composition_ns\":%.0f,\"compositions\":%llu,\"changes_per_s\":%.0f",
	    per(c->taking_ns, states), per(c->composing_ns, after.composed - before.composed),
	    (unsigned long long)(after.composed - before.composed),
	    (double)states / ((double)(c->taking_ns + c->composing_ns) / 1e9));

	aggregator_stats(c->a, &before);
	c->taking_ns = c->composing_ns = 0;
	for (size_t r = 0; r < rounds; r++)
		say_all(c, rounds + 1); /* the same again and again */
	aggregator_stats(c->a, &after);
	printf(",\"repetition_ns\":%.0f,\"repetition_compositions\":%llu,\"repetitions_per_s\":%.0f",
	    per(c->taking_ns, states), (unsigned long long)(after.composed - before.composed),
	    (double)states / ((double)(c->taking_ns + c->composing_ns) / 1e9));
}

int main(int argc, char **argv)
{
	static char *order[] = { "sip", "tapi" };
	const struct aggregator_settings settings = {
		.rules = { .rich_winning = "sip",
		    .rich_order = order,
		    .rich_order_count = 2,
		    .telephony_order = order,
		    .telephony_order_count = 2,
		    .numbers = { .extension_digits = 6 } },
		.hold = 15000,
		.resync_limit = 300000,
		.verify_requesting = 3600000,
		.verify_ringing = 3600000,
		.verify_busy = 3600000,
		.verify_any = 3600000,
		.verify_rate = 10,
	};
	struct core c = { .now = { .mono = 1000000, .wall = NOON } };
	size_t memory[5];

	if (argc != 3)
		return 2;
	c.users = strtoul(argv[1], NULL, 10);
	c.ids = must(calloc(c.users, sizeof *c.ids));
	memory[0] = bytes_in_use();
	c.a = must(aggregator_new(&settings, &host, &c));
	c.d = must(directory_new(&observer, &c));
	add_users(&c);
	memory[1] = bytes_in_use();
	know_users(&c);
	memory[2] = bytes_in_use();
	c.demanded = true;
	c.rich = add_source(&c, "cups", TECHNOLOGY_SIP, 0, DOMAIN_RICH);
	c.telephony = add_source(&c, "switch", TECHNOLOGY_TAPI, 1, DOMAIN_TELEPHONY);
	for (struct user *u = directory_after(c.d, ""); u != NULL; u = directory_next(u))
		aggregator_demand_changed(c.a, u);
	run_all(&c);
	memory[3] = bytes_in_use();
	say_all(&c, 1);
	memory[4] = bytes_in_use();
	printf("{\"directory_bytes\":%.0f,\"unwatched_bytes\":%.0f,\"watched_bytes\":%.0f,\"said_bytes\":%.0f",
	    per((int64_t)(memory[1] - memory[0]), c.users), per((int64_t)(memory[2] - memory[0]), c.users),
	    per((int64_t)(memory[3] - memory[0]), c.users), per((int64_t)(memory[4] - memory[0]), c.users));
	measure_time(&c, strtoul(argv[2], NULL, 10));
	puts("}");
	aggregator_remove_source(c.a, c.rich, c.now);
	aggregator_remove_source(c.a, c.telephony, c.now);
	aggregator_free(c.a);
	directory_free(c.d);
	free(c.ids);
	return 0;
}
