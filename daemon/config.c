/* config.c: what may stand in presenced.yaml, and what it becomes.
 * SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_yaml.h"
#include "daemon/origins.h"

/* --- what may stand in it ------------------------------------------------------------------------ */

static const struct vocab_word mode_words[] = {
	{ "on-demand", "a user is watched while somebody wants to know" },
	{ "always", "every user is watched all the time" },
};
static const struct vocab vocab_monitoring_mode = { "mode", mode_words, 2 };
static const struct vocab_word level_words[] = {
	{ "error", "somebody must act" },
	{ "warning", "it works, but not as configured" },
	{ "info", "events of the life cycle" },
	{ "debug", "each message" },
};
static const struct vocab vocab_log_level = { "level", level_words, 4 };

/* The values that are not in struct config as they stand in the file. */
struct values {
	struct option_list rich_order, telephony_order, pilots, outside;
	int64_t monitoring_mode;
	int64_t extension_digits;
};
struct loaded {
	struct config config; /* first: a struct config is what callers see */
	struct values values;
};

#define IN_CONFIG(member)     offsetof(struct loaded, config.member)
#define IN_AGGREGATOR(member) offsetof(struct loaded, config.aggregator.member)
#define IN_RULES(member)      offsetof(struct loaded, config.aggregator.rules.member)
#define IN_VALUES(member)     offsetof(struct loaded, values.member)
#define HOUR		      3600000
#define DAY		      86400000

static const struct option top_options[] = {
	{ "users", OPTION_PATH, IN_CONFIG(users), NULL, 0, 0, NULL, 0, "CSV file with the monitored people." },
	{ "state", OPTION_PATH, IN_CONFIG(state), NULL, 0, 0, NULL, 0,
	    "Directory for what must survive a restart; default STATE_DIRECTORY of the unit, else "
	    "/var/lib/presenced." },
	{ "hold", OPTION_DURATION, IN_AGGREGATOR(hold), "15s", 0, DAY, NULL, 0,
	    "How long the last word of a source that is away is still believed." },
	{ "resync_limit", OPTION_DURATION, IN_AGGREGATOR(resync_limit), "5m", 1000, DAY, NULL, 0,
	    "How long a source may take after a reconnection to say everything again." },
	{ 0 },
};
static const struct option monitoring_options[] = {
	{ "mode", OPTION_WORD, IN_VALUES(monitoring_mode), "on-demand", 0, 0, &vocab_monitoring_mode, 0,
	    "Whether users are watched only while somebody wants to know." },
	{ "linger", OPTION_DURATION, IN_AGGREGATOR(linger), "60s", 1000, DAY, NULL, 0,
	    "How long a user is still watched after the last demand." },
	{ 0 },
};
static const struct option verify_options[] = {
	{ "requesting", OPTION_DURATION, IN_AGGREGATOR(verify_requesting), "35s", 1000, DAY, NULL, 0,
	    "Ask again when nothing was said of an address for so long." },
	{ "ringing", OPTION_DURATION, IN_AGGREGATOR(verify_ringing), "60s", 1000, DAY, NULL, 0,
	    "Prove a ringing line again after so long." },
	{ "busy", OPTION_DURATION, IN_AGGREGATOR(verify_busy), "5m", 1000, DAY, NULL, 0,
	    "Prove a busy or held line again after so long." },
	{ "any", OPTION_DURATION, IN_AGGREGATOR(verify_any), "30m", 1000, DAY, NULL, 0,
	    "Prove any other state again after so long." },
	{ "rate", OPTION_RATE, IN_AGGREGATOR(verify_rate), "10/s", 1, 100000, NULL, 0,
	    "At most so many proofs are asked of one source." },
	{ 0 },
};
static const struct option rules_options[] = {
	{ "voicemail_pilots", OPTION_LIST, IN_VALUES(pilots), NULL, 0, 0, NULL, 0,
	    "Numbers of voicemail systems: a forward to one of them is forwarded_to_voicemail." },
	{ "on_the_phone_is_dnd", OPTION_BOOL, IN_RULES(on_the_phone_is_dnd), "false", 0, 0, NULL, 0,
	    "Show who is on the telephone as dnd overall." },
	{ "in_a_meeting_is_dnd", OPTION_BOOL, IN_RULES(in_a_meeting_is_dnd), "false", 0, 0, NULL, 0,
	    "Show who is in a meeting as dnd overall." },
	{ 0 },
};
static const struct option rich_options[] = {
	{ "winning", OPTION_TEXT, IN_RULES(rich_winning), "sip", 0, 0, NULL, 0,
	    "Source or technology whose word on the person wins a conflict." },
	{ "order", OPTION_LIST, IN_VALUES(rich_order), "[sip, msteams, sfb, webex, xmpp, broadworks, tapi, calendar]",
	    0, 0, NULL, 0, "Sources or technologies in the order of belief after the winning one." },
	{ 0 },
};
static const struct option telephony_options[] = {
	{ "order", OPTION_LIST, IN_VALUES(telephony_order), "[tapi, broadworks, sip]", 0, 0, NULL, 0,
	    "Sources or technologies in the order of belief about the line, fact by fact." },
	{ 0 },
};
static const struct option number_options[] = {
	{ "country", OPTION_TEXT, IN_RULES(numbers.country), NULL, 0, 0, NULL, OPTION_MAY_BE_EMPTY,
	    "Own country code, digits only." },
	{ "international", OPTION_TEXT, IN_RULES(numbers.international), NULL, 0, 0, NULL, OPTION_MAY_BE_EMPTY,
	    "Prefix of international numbers, such as 00." },
	{ "national", OPTION_TEXT, IN_RULES(numbers.national), NULL, 0, 0, NULL, OPTION_MAY_BE_EMPTY,
	    "Prefix of national numbers, such as 0." },
	{ "outside", OPTION_LIST, IN_VALUES(outside), NULL, 0, 0, NULL, 0, "Prefixes dialled to leave the house." },
	{ "extension_digits", OPTION_INT, IN_VALUES(extension_digits), "6", 0, 20, NULL, 0,
	    "Digits of the longest extension." },
	{ 0 },
};
static const struct option log_options[] = {
	{ "level", OPTION_WORD, IN_CONFIG(log_level), "info", 0, 0, &vocab_log_level, 0,
	    "Least severe level that is logged." },
	{ 0 },
};
static const struct option limit_options[] = {
	{ "connections", OPTION_INT, IN_CONFIG(limits.connections), "256", 1, 100000, NULL, 0,
	    "Consoles connected at one time, on all sockets together." },
	{ "connections_per_uid", OPTION_INT, IN_CONFIG(limits.connections_per_uid), "64", 1, 100000, NULL, 0,
	    "Consoles of one account; administrators are not counted." },
	{ "users_per_set", OPTION_INT, IN_CONFIG(limits.users_per_set), "20000", 1, 1000000, NULL, 0,
	    "Users and groups that one subscription may name." },
	{ 0 },
};
static const struct option history_options[] = {
	{ "enabled", OPTION_BOOL, IN_CONFIG(history.enabled), "true", 0, 0, NULL, 0,
	    "Whether changes of presence are kept." },
	{ "retention", OPTION_DURATION, IN_CONFIG(history.retention), "30d", HOUR, INT64_C(3650) * DAY, NULL, 0,
	    "How long they are kept." },
	{ "calls", OPTION_BOOL, IN_CONFIG(history.calls), "true", 0, 0, NULL, 0,
	    "Whether calls and the targets of forwards are kept with them." },
	{ 0 },
};
static const struct option console_options[] = {
	{ "socket", OPTION_PATH, offsetof(struct config_console, socket), NULL, 0, 0, NULL, OPTION_REQUIRED,
	    "Path of the Unix socket." },
	{ "group", OPTION_TEXT, offsetof(struct config_console, group), NULL, 0, 0, NULL, 0,
	    "Group that may connect; one of the daemon's own." },
	{ "mode", OPTION_MODE, offsetof(struct config_console, mode), "0660", 0, 0, NULL, 0,
	    "Mode of the socket file." },
	{ "permissions", OPTION_WORDS, offsetof(struct config_console, permissions), "[read]", 0, 0, &vocab_permission,
	    0, "What who connects here may do." },
	{ 0 },
};
static const struct option peer_options[] = {
	{ "uid", OPTION_LIST, offsetof(struct config_console, peer_uids), NULL, 0, 0, NULL, 0,
	    "Only these accounts, numbers or names." },
	{ "gid", OPTION_LIST, offsetof(struct config_console, peer_gids), NULL, 0, 0, NULL, 0,
	    "Only members of these groups, numbers or names." },
	{ 0 },
};
const struct option config_source_options[] = {
	{ "name", OPTION_TEXT, offsetof(struct config_source, name), NULL, 0, 0, NULL, OPTION_REQUIRED,
	    "Name of the source, as rules, consoles and logs show it." },
	{ "enabled", OPTION_BOOL, offsetof(struct config_source, enabled), "true", 0, 0, NULL, 0,
	    "Whether it is used." },
	{ "domains", OPTION_WORDS, offsetof(struct config_source, domains), NULL, 0, 0, &vocab_domain, 0,
	    "Halves of presence it serves; default all that its type can." },
	{ 0 },
};
static const struct option served_options[] = {
	{ "groups", OPTION_LIST, offsetof(struct config_source, groups), NULL, 0, 0, NULL, 0,
	    "Only members of these groups." },
	{ "match", OPTION_TEXT, offsetof(struct config_source, match), NULL, 0, 0, NULL, 0,
	    "Only users whose id matches this pattern, * and ? as in the shell." },
	{ 0 },
};
static const struct option directory_options[] = {
	{ "use", OPTION_BOOL, offsetof(struct config_source, directory_use), "false", 0, 0, NULL, 0,
	    "Whether the users that the source names are taken into the directory." },
	{ "match", OPTION_LIST, offsetof(struct config_source, directory_match), NULL, 0, 0, NULL, 0,
	    "Columns by which an entry that is new finds its user, in order." },
	{ 0 },
};

const struct config_section config_sections[] = {
	{ "", top_options, "" },
	{ "console[]", console_options, "Sockets for consoles." },
	{ "console[].peers", peer_options, "Who may use the socket, besides root and the daemon's own account." },
	{ "monitoring", monitoring_options, "When users are watched." },
	{ "rules", rules_options, "How one presence is made of many words." },
	{ "rules.rich", rich_options, "Who is believed about the person." },
	{ "rules.telephony", telephony_options, "Who is believed about the line." },
	{ "numbers", number_options, "When two telephone numbers are the same." },
	{ "verify", verify_options, "When what is believed is proved again." },
	{ "limits", limit_options, "What consoles may use." },
	{ "history", history_options, "What is kept of the past." },
	{ "log", log_options, "What is logged." },
	{ "sources[]", config_source_options, "Systems that know something." },
	{ "sources[].users", served_options, "Whom a source serves; default everybody with an address for it." },
	{ "sources[].directory", directory_options, "Whether a source also says who there is." },
	{ 0 },
};

/* --- reading ------------------------------------------------------------------------------------- */

static void read_table(struct config_reader *r, yaml_node_t *node, const char *path, const struct option *options,
    void *settings, const struct config_part *parts)
{
	config_read_map(r, node, path, (const struct config_table[]){ { options, settings }, { 0 } }, parts);
}

#define SECTION_READER(section) \
	static void read_##section(struct config_reader *r, yaml_node_t *node, const char *path, void *arg) \
	{ \
		read_table(r, node, path, section##_options, arg, NULL); \
	}
SECTION_READER(monitoring)
SECTION_READER(verify)
SECTION_READER(rich)
SECTION_READER(telephony)
SECTION_READER(history)
SECTION_READER(log)
SECTION_READER(limit)
SECTION_READER(peer)
SECTION_READER(served)

static void read_rules(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	const struct config_part parts[] = {
		{ "rich", read_rich, arg },
		{ "telephony", read_telephony, arg },
		{ 0 },
	};

	read_table(r, node, path, rules_options, arg, parts);
}

struct did {
	char *prefix;
	int64_t keep;
};
static const struct option did_options[] = {
	{ "prefix", OPTION_TEXT, offsetof(struct did, prefix), NULL, 0, 0, NULL, OPTION_REQUIRED,
	    "What outside numbers begin with, in international form: +4420708468." },
	{ "keep", OPTION_INT, offsetof(struct did, keep), NULL, 1, 20, NULL, 0,
	    "How many of the last digits are the extension." },
	{ 0 },
};

static void read_did(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	struct numbers_config *numbers = &((struct loaded *)arg)->config.aggregator.rules.numbers;
	struct numbers_did *dids = reallocarray(numbers->dids, numbers->did_count + 1, sizeof *dids);
	struct did did = { 0 };

	if (dids == NULL)
		return;
	numbers->dids = dids;
	read_table(r, node, path, did_options, &did, NULL);
	if (did.prefix == NULL || did.keep == 0)
		config_error(r, node, path, "expected prefix and keep");
	else
		numbers->dids[numbers->did_count++] = (struct numbers_did){ strdup(did.prefix), (int)did.keep };
	options_done(did_options, &did);
}

static void read_dids(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	config_read_list(r, node, path, read_did, arg);
}

static void read_numbers(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	const struct config_part parts[] = { { "did", read_dids, arg }, { 0 } };

	read_table(r, node, path, number_options, arg, parts);
}

/* A group that does not exist, or that the daemon may not give a socket to. */
static void check_group(struct config_reader *r, const yaml_node_t *node, const char *path, const char *name)
{
	const struct group *g = name == NULL ? NULL : getgrnam(name);
	gid_t gids[256];
	int count;

	if (name == NULL)
		return;
	if (g == NULL) {
		config_error(r, node, path, "group: there is no group \"%s\" on this machine", name);
		return;
	}
	count = getgroups(256, gids);
	for (int i = 0; i < count; i++)
		if (gids[i] == g->gr_gid)
			return;
	if (geteuid() != 0 && getegid() != g->gr_gid)
		config_warning(r, node, path,
		    "group: this account is not in group %s; the service needs SupplementaryGroups=%s", name, name);
}

static void read_console(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	struct config *c = &((struct loaded *)arg)->config;
	struct config_console *consoles = reallocarray(c->consoles, c->console_count + 1, sizeof *consoles);
	struct config_console *console;

	if (consoles == NULL)
		return;
	c->consoles = consoles;
	console = &consoles[c->console_count++];
	if (c->console_count > CONFIG_MAX_CONSOLES)
		config_error(r, node, path, "more than %d console sockets", CONFIG_MAX_CONSOLES);
	memset(console, 0, sizeof *console);
	options_set_defaults(console_options, console);
	read_table(r, node, path, console_options, console,
	    (const struct config_part[]){ { "peers", read_peer, console }, { 0 } });
	if (console->socket == NULL)
		config_error(r, node, path, "socket is missing, expected a file name");
	check_group(r, node, path, console->group);
	for (size_t i = 0; console->socket != NULL && i + 1 < c->console_count; i++)
		if (consoles[i].socket != NULL && strcmp(consoles[i].socket, console->socket) == 0)
			config_error(r, node, path, "two consoles have the socket %s", console->socket);
}

static void read_consoles(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	config_read_list(r, node, path, read_console, arg);
}

/* --- sources ------------------------------------------------------------------------------------- */

static void ignore(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	(void)r;
	(void)node;
	(void)path;
	(void)arg;
}

static const struct connector_spec *spec_of(struct config_reader *r, yaml_node_t *node, const char *path)
{
	yaml_node_t *type = config_child(r, node, "type");
	const struct connector_spec *spec =
	    config_scalar(type) == NULL ? NULL : connector_spec_find(config_scalar(type));
	struct buf known;

	if (spec != NULL)
		return spec;
	buf_init(&known, 1024);
	for (size_t i = 0; connector_specs[i] != NULL; i++)
		buf_printf(&known, "%s%s", i == 0 ? "" : ", ", connector_specs[i]->type);
	if (config_scalar(type) == NULL)
		config_error(r, node, path, "type is missing, expected one of %s", buf_text(&known));
	else
		config_error(
		    r, type, path, "type: found \"%.40s\", expected one of %s", config_scalar(type), buf_text(&known));
	buf_done(&known);
	return NULL;
}

static void check_name(
    struct config_reader *r, yaml_node_t *node, const char *path, const struct config *c, const struct config_source *s)
{
	if (s->name == NULL || *s->name == '\0') {
		config_error(r, node, path, "name is missing, expected a text");
		return;
	}
	if (strlen(s->name) > 64 || strpbrk(s->name, " \t@;") != NULL)
		config_error(
		    r, node, path, "name: found \"%.80s\", expected at most 64 bytes without blanks, @ and ;", s->name);
	if (vocab_find(&vocab_technology, s->name) >= 0)
		config_error(r, node, path, "name: \"%s\" is the name of a technology, expected another", s->name);
	if (strcmp(s->name, ORIGIN_BY_HAND) == 0 || strcmp(s->name, ORIGIN_FILE) == 0 || strchr(s->name, '/') != NULL)
		config_error(r, node, path,
		    "name: found \"%s\", expected neither hand nor file, where users come from, and no slash", s->name);
	for (const struct config_source *o = c->sources; o < s; o++)
		if (o->name != NULL && strcmp(o->name, s->name) == 0)
			config_error(r, node, path, "name: two sources are called \"%s\"", s->name);
}

struct source_place {
	struct config_reader *reader;
	yaml_node_t *node;
	const char *path;
};

/* Where the option is written, else at the source. */
static void source_option_wrong(void *arg, const char *option, const char *why)
{
	const struct source_place *at = arg;
	yaml_node_t *value = config_child(at->reader, at->node, option);
	char path[512];

	snprintf(path, sizeof path, "%s.%s", at->path, option);
	config_error(at->reader, value != NULL ? value : at->node, path, "%s", why);
}

/* Of all columns only those with addresses tell two people apart. */
static bool is_address(int column)
{
	return column >= 0 && column != USER_ID && column != USER_NAME && column != USER_GROUPS;
}

static const char *address_columns(char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < USER_COLUMN_COUNT && used < size; i++)
		if (is_address(i))
			used += (size_t)snprintf(
			    buf + used, size - used, "%s%s", used == 0 ? "" : ", ", vocab_name(&vocab_user_column, i));
	return buf;
}

static void read_directory(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	struct config_source *s = arg;
	const struct option_critic critic = { source_option_wrong, &(struct source_place){ r, node, path } };
	char known[256];

	read_table(r, node, path, directory_options, s, NULL);
	if (s->directory_use && !s->spec->directory)
		option_wrong(&critic, "use", "this type of source has no directory");
	for (size_t i = 0; i < s->directory_match.count; i++)
		if (!is_address(vocab_find(&vocab_user_column, s->directory_match.items[i])))
			option_wrong(&critic, "match", "found \"%.80s\", expected one of %s",
			    s->directory_match.items[i], address_columns(known, sizeof known));
}

static void read_source_settings(struct config_reader *r, yaml_node_t *node, const char *path, struct config_source *s)
{
	const struct config_part parts[] = {
		{ "type", ignore, NULL },
		{ "users", read_served, s },
		{ "directory", read_directory, s },
		{ 0 },
	};
	const struct config_table tables[] = { { config_source_options, s }, { s->spec->options, s->settings }, { 0 } };
	const struct option_critic critic = { source_option_wrong, &(struct source_place){ r, node, path } };
	const char *missing;

	options_set_defaults(s->spec->options, s->settings);
	config_read_map(r, node, path, tables, parts);
	if ((s->domains & ~(uint64_t)s->spec->domains) != 0)
		config_error(r, node, path, "domains: a source of type %s cannot serve all of these", s->spec->type);
	if (s->domains == 0)
		s->domains = s->spec->domains;
	s->technology =
	    s->spec->technology >= 0 ? (enum technology)s->spec->technology : s->spec->technology_of(s->settings);
	if (s->spec->check != NULL)
		s->spec->check(s->settings, &critic);
	missing = connector_spec_missing(s->spec, s->settings);
	if (missing != NULL && s->enabled && config_child(r, node, missing) == NULL)
		config_warning(r, node, path, "%s is missing: the source is not_configured until it is given", missing);
}

static void read_source(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	struct config *c = &((struct loaded *)arg)->config;
	const struct connector_spec *spec = spec_of(r, node, path);
	struct config_source *sources = reallocarray(c->sources, c->source_count + 1, sizeof *sources);
	struct config_source *s;

	if (spec == NULL || sources == NULL) {
		c->sources = sources != NULL ? sources : c->sources;
		return;
	}
	c->sources = sources;
	s = &sources[c->source_count];
	*s = (struct config_source){ .spec = spec,
		.settings = calloc(1, spec->settings_size + 1),
		.position = (int)c->source_count,
		.line = (int)node->start_mark.line + 1 };
	if (s->settings == NULL)
		return;
	c->source_count++;
	options_set_defaults(config_source_options, s);
	read_source_settings(r, node, path, s);
	check_name(r, node, path, c, s);
}

static void read_sources(struct config_reader *r, yaml_node_t *node, const char *path, void *arg)
{
	config_read_list(r, node, path, read_source, arg);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static bool names_a_source(const struct config *c, const char *word)
{
	if (vocab_find(&vocab_technology, word) >= 0)
		return true;
	for (size_t i = 0; i < c->source_count; i++)
		if (c->sources[i].name != NULL && strcmp(c->sources[i].name, word) == 0)
			return true;
	return false;
}

/* The rules name sources and technologies; a slip there would silently change who wins. */
static void check_ranks(struct config_reader *r, const struct loaded *l)
{
	yaml_node_t *rules = config_child(r, config_root(r), "rules");
	yaml_node_t *rich = config_child(r, rules, "rich"), *telephony = config_child(r, rules, "telephony");
	const char *winning = l->config.aggregator.rules.rich_winning;
	const struct {
		const struct option_list *list;
		yaml_node_t *node;
		const char *path;
	} lists[] = {
		{ &l->values.rich_order, config_child(r, rich, "order"), "rules.rich.order" },
		{ &l->values.telephony_order, config_child(r, telephony, "order"), "rules.telephony.order" },
	};

	if (winning != NULL && !names_a_source(&l->config, winning))
		config_error(r, config_child(r, rich, "winning"), "rules.rich.winning",
		    "found \"%.80s\", expected the name of a source or a technology", winning);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < lists[i].list->count; k++)
			if (!names_a_source(&l->config, lists[i].list->items[k]))
				config_error(r, lists[i].node, lists[i].path,
				    "found \"%.80s\", expected the name of a source or a technology",
				    lists[i].list->items[k]);
}

static const struct option *const loaded_tables[] = { top_options, monitoring_options, verify_options, rules_options,
	rich_options, telephony_options, number_options, log_options, limit_options, history_options };
#define LOADED_TABLES (sizeof loaded_tables / sizeof *loaded_tables)

static void read_document(struct config_reader *r, struct loaded *l)
{
	const struct config_part parts[] = {
		{ "console", read_consoles, l },
		{ "monitoring", read_monitoring, l },
		{ "rules", read_rules, l },
		{ "numbers", read_numbers, l },
		{ "verify", read_verify, l },
		{ "limits", read_limit, l },
		{ "history", read_history, l },
		{ "log", read_log, l },
		{ "sources", read_sources, l },
		{ 0 },
	};

	if (config_root(r) != NULL)
		read_table(r, config_root(r), "", top_options, l, parts);
	check_ranks(r, l);
}

static int add_default_console(struct config *c)
{
	c->consoles = calloc(1, sizeof *c->consoles);
	if (c->consoles == NULL)
		return -ENOMEM;
	c->console_count = 1;
	options_set_defaults(console_options, c->consoles);
	c->consoles[0].socket = strdup("/run/presenced/presenced.sock");
	return c->consoles[0].socket == NULL ? -ENOMEM : 0;
}

/* Lists are owned by the values; the rules point to them. */
static void connect_rules(struct loaded *l)
{
	struct rules *rules = &l->config.aggregator.rules;

	rules->rich_order = l->values.rich_order.items;
	rules->rich_order_count = l->values.rich_order.count;
	rules->telephony_order = l->values.telephony_order.items;
	rules->telephony_order_count = l->values.telephony_order.count;
	rules->voicemail_pilots = l->values.pilots.items;
	rules->voicemail_pilot_count = l->values.pilots.count;
	rules->numbers.outside = l->values.outside.items;
	rules->numbers.outside_count = l->values.outside.count;
	rules->numbers.extension_digits = (int)l->values.extension_digits;
	l->config.always = l->values.monitoring_mode == 1;
}

static struct loaded *loaded_new(const char *file)
{
	struct loaded *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->config.file = strdup(file);
	for (size_t i = 0; i < LOADED_TABLES; i++)
		options_set_defaults(loaded_tables[i], l);
	return l;
}

int config_defaults(struct config **ret)
{
	struct loaded *l = loaded_new("defaults");

	if (l == NULL || add_default_console(&l->config) < 0) {
		config_free(l == NULL ? NULL : &l->config);
		return -ENOMEM;
	}
	connect_rules(l);
	*ret = &l->config;
	return 0;
}

int config_load(const char *file, struct config **ret, struct buf *errors, struct buf *warnings)
{
	struct config_reader r;
	struct loaded *l;
	int result = config_reader_open(&r, file, errors, warnings);

	if (result < 0)
		return result;
	l = loaded_new(file);
	if (l == NULL) {
		config_reader_done(&r);
		return -ENOMEM;
	}
	read_document(&r, l);
	if (r.error_count > CONFIG_MAX_ERRORS)
		buf_printf(errors, "%s: and %d more errors\n", file, r.error_count - CONFIG_MAX_ERRORS);
	config_reader_done(&r);
	if (l->config.console_count == 0 && add_default_console(&l->config) < 0)
		r.error_count++;
	connect_rules(l);
	if (r.error_count > 0) {
		config_free(&l->config);
		return -EINVAL;
	}
	*ret = &l->config;
	return 0;
}

void config_free(struct config *c)
{
	struct loaded *l = (struct loaded *)(void *)c;

	if (c == NULL)
		return;
	for (size_t i = 0; i < c->console_count; i++) {
		options_done(console_options, &c->consoles[i]);
		options_done(peer_options, &c->consoles[i]);
	}
	for (size_t i = 0; i < c->source_count; i++)
		config_source_done(&c->sources[i]);
	for (size_t i = 0; i < c->aggregator.rules.numbers.did_count; i++)
		free(c->aggregator.rules.numbers.dids[i].prefix);
	free(c->aggregator.rules.numbers.dids);
	for (size_t i = 0; i < LOADED_TABLES; i++)
		options_done(loaded_tables[i], l);
	free(c->consoles);
	free(c->sources);
	free(c->file);
	free(l);
}

void config_source_done(struct config_source *s)
{
	options_done(config_source_options, s);
	options_done(served_options, s);
	options_done(directory_options, s);
	if (s->settings != NULL)
		options_done(s->spec->options, s->settings);
	free(s->settings);
	s->settings = NULL;
}

bool config_source_same(const struct config_source *a, const struct config_source *b)
{
	return a->spec == b->spec && options_equal(config_source_options, a, b) &&
	    options_equal(a->spec->options, a->settings, b->settings);
}

bool config_source_serves_same(const struct config_source *a, const struct config_source *b)
{
	return options_equal(served_options, a, b) && options_equal(directory_options, a, b);
}

bool config_console_same(const struct config_console *a, const struct config_console *b)
{
	return options_equal(console_options, a, b) && options_equal(peer_options, a, b);
}
