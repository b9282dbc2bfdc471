/* pidf_words.c: which availability and which activity words stand for.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/pidf_words.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "daemon/model/vocab.h"

/* Rows in the order in which they win; the availability that a word of the row stands for. */
enum row {
	ROW_DND,
	ROW_PRESENTING,
	ROW_CALL,
	ROW_MEETING,
	ROW_OUT,
	ROW_BUSY,
	ROW_AWAY,
	ROW_OFFLINE,
	ROW_AVAILABLE,
	ROW_SILENT,
	ROW_COUNT
};

static const int8_t row_availability[ROW_COUNT] = {
	[ROW_DND] = AVAILABILITY_DND,
	[ROW_PRESENTING] = AVAILABILITY_BUSY,
	[ROW_CALL] = AVAILABILITY_BUSY,
	[ROW_MEETING] = AVAILABILITY_BUSY,
	[ROW_OUT] = AVAILABILITY_AWAY,
	[ROW_BUSY] = AVAILABILITY_BUSY,
	[ROW_AWAY] = AVAILABILITY_AWAY,
	[ROW_OFFLINE] = AVAILABILITY_OFFLINE,
	[ROW_AVAILABLE] = AVAILABILITY_AVAILABLE,
	[ROW_SILENT] = -1,
};

enum token {
	TOKEN_DND,
	TOKEN_DO_NOT_DISTURB,
	TOKEN_PRESENTATION,
	TOKEN_PERFORMANCE,
	TOKEN_ON_THE_PHONE,
	TOKEN_ALERTING,
	TOKEN_MEETING,
	TOKEN_APPOINTMENT,
	TOKEN_VACATION,
	TOKEN_HOLIDAY,
	TOKEN_PERMANENT_ABSENCE,
	TOKEN_TRAVEL,
	TOKEN_BUSY,
	TOKEN_WORKING,
	TOKEN_STEERING,
	TOKEN_IN_TRANSIT,
	TOKEN_AWAY,
	TOKEN_BREAKFAST,
	TOKEN_LUNCH,
	TOKEN_DINNER,
	TOKEN_MEAL,
	TOKEN_SHOPPING,
	TOKEN_SLEEPING,
	TOKEN_TV,
	TOKEN_PLAYING,
	TOKEN_SPECTATOR,
	TOKEN_WORSHIP,
	TOKEN_LOOKING_FOR_WORK,
	TOKEN_UNAVAILABLE,
	TOKEN_AVAILABLE,
	TOKEN_OTHER,
	TOKEN_UNKNOWN,
	TOKEN_COUNT
};

static const struct {
	const char *name;
	int8_t row;
	int8_t activity; /* enum activity; -1: it only says an availability */
} tokens[TOKEN_COUNT] = {
	[TOKEN_DND] = { "dnd", ROW_DND, -1 }, /* Cisco */
	[TOKEN_DO_NOT_DISTURB] = { "do-not-disturb", ROW_DND, -1 },
	[TOKEN_PRESENTATION] = { "presentation", ROW_PRESENTING, ACTIVITY_PRESENTATION },
	[TOKEN_PERFORMANCE] = { "performance", ROW_PRESENTING, ACTIVITY_PERFORMANCE },
	[TOKEN_ON_THE_PHONE] = { "on-the-phone", ROW_CALL, ACTIVITY_ON_THE_PHONE },
	[TOKEN_ALERTING] = { "alerting", ROW_CALL, ACTIVITY_ON_THE_PHONE }, /* Cisco: the telephone rings */
	[TOKEN_MEETING] = { "meeting", ROW_MEETING, ACTIVITY_MEETING },
	[TOKEN_APPOINTMENT] = { "appointment", ROW_MEETING, ACTIVITY_APPOINTMENT },
	[TOKEN_VACATION] = { "vacation", ROW_OUT, ACTIVITY_VACATION },
	[TOKEN_HOLIDAY] = { "holiday", ROW_OUT, ACTIVITY_HOLIDAY },
	[TOKEN_PERMANENT_ABSENCE] = { "permanent-absence", ROW_OUT, ACTIVITY_PERMANENT_ABSENCE },
	[TOKEN_TRAVEL] = { "travel", ROW_OUT, ACTIVITY_TRAVEL },
	[TOKEN_BUSY] = { "busy", ROW_BUSY, -1 },
	[TOKEN_WORKING] = { "working", ROW_BUSY, ACTIVITY_WORKING },
	[TOKEN_STEERING] = { "steering", ROW_BUSY, ACTIVITY_STEERING },
	[TOKEN_IN_TRANSIT] = { "in-transit", ROW_BUSY, ACTIVITY_IN_TRANSIT },
	[TOKEN_AWAY] = { "away", ROW_AWAY, -1 },
	[TOKEN_BREAKFAST] = { "breakfast", ROW_AWAY, ACTIVITY_BREAKFAST },
	[TOKEN_LUNCH] = { "lunch", ROW_AWAY, ACTIVITY_LUNCH },
	[TOKEN_DINNER] = { "dinner", ROW_AWAY, ACTIVITY_DINNER },
	[TOKEN_MEAL] = { "meal", ROW_AWAY, ACTIVITY_MEAL },
	[TOKEN_SHOPPING] = { "shopping", ROW_AWAY, ACTIVITY_SHOPPING },
	[TOKEN_SLEEPING] = { "sleeping", ROW_AWAY, ACTIVITY_SLEEPING },
	[TOKEN_TV] = { "tv", ROW_AWAY, ACTIVITY_TV },
	[TOKEN_PLAYING] = { "playing", ROW_AWAY, ACTIVITY_PLAYING },
	[TOKEN_SPECTATOR] = { "spectator", ROW_AWAY, ACTIVITY_SPECTATOR },
	[TOKEN_WORSHIP] = { "worship", ROW_AWAY, ACTIVITY_WORSHIP },
	[TOKEN_LOOKING_FOR_WORK] = { "looking-for-work", ROW_AWAY, ACTIVITY_LOOKING_FOR_WORK },
	[TOKEN_UNAVAILABLE] = { "unavailable", ROW_OFFLINE, -1 }, /* Cisco */
	[TOKEN_AVAILABLE] = { "available", ROW_AVAILABLE, -1 },	  /* Cisco */
	[TOKEN_OTHER] = { "other", ROW_SILENT, ACTIVITY_OTHER },
	[TOKEN_UNKNOWN] = { "unknown", ROW_SILENT, ACTIVITY_UNKNOWN },
};

/* Words that name an availability themselves, the most available first. */
static const struct {
	enum token token;
	int8_t availability;
} explicit_words[] = {
	{ TOKEN_AVAILABLE, AVAILABILITY_AVAILABLE },
	{ TOKEN_BUSY, AVAILABILITY_BUSY },
	{ TOKEN_AWAY, AVAILABILITY_AWAY },
	{ TOKEN_UNAVAILABLE, AVAILABILITY_OFFLINE },
};

bool pidf_words_add(pidf_words *set, const char *word)
{
	for (int i = 0; i < TOKEN_COUNT; i++) {
		if (strcmp(tokens[i].name, word) == 0) {
			*set |= UINT64_C(1) << i;
			return true;
		}
	}
	return false;
}

int pidf_rank(int availability)
{
	static const int8_t order[] = {
		[AVAILABILITY_AVAILABLE] = 0,
		[AVAILABILITY_AVAILABLE_IDLE] = 1,
		[AVAILABILITY_BUSY] = 2,
		[AVAILABILITY_BUSY_IDLE] = 3,
		[AVAILABILITY_AWAY] = 4,
		[AVAILABILITY_DND] = 5, /* decided before this is asked */
		[AVAILABILITY_OFFLINE] = 6,
	};

	return order[availability];
}

static bool has(pidf_words set, enum token token)
{
	return (set >> token & 1) != 0;
}

bool pidf_words_say_dnd(pidf_words set)
{
	return has(set, TOKEN_DND) || has(set, TOKEN_DO_NOT_DISTURB);
}

bool pidf_words_say_ringing(pidf_words set)
{
	return has(set, TOKEN_ALERTING);
}

bool pidf_words_say_call(pidf_words set)
{
	return has(set, TOKEN_ON_THE_PHONE) || has(set, TOKEN_ALERTING);
}

/* The first row that hits gives the availability; an explicit word that is more available wins over it, since an
 * activity never lowers an availability. -1: none. */
int pidf_words_availability(pidf_words set)
{
	int found = -1;

	for (int i = 0; i < TOKEN_COUNT && found < 0; i++)
		if (has(set, (enum token)i))
			found = row_availability[tokens[i].row];
	if (found < 0 || found == AVAILABILITY_DND)
		return found;
	for (size_t i = 0; i < sizeof explicit_words / sizeof *explicit_words; i++) {
		if (pidf_rank(explicit_words[i].availability) >= pidf_rank(found))
			return found;
		if (has(set, explicit_words[i].token))
			return explicit_words[i].availability;
	}
	return found;
}

/* The activity of the first row that hits, dnd aside; else `other` or `unknown`; -1 none. */
int pidf_words_activity(pidf_words set)
{
	int row = ROW_COUNT;

	for (int i = 0; i < TOKEN_COUNT; i++)
		if (has(set, (enum token)i) && tokens[i].row != ROW_DND && tokens[i].row < row)
			row = tokens[i].row;
	for (int i = 0; i < TOKEN_COUNT; i++)
		if (has(set, (enum token)i) && tokens[i].activity >= 0 &&
		    (tokens[i].row == row || tokens[i].row == ROW_SILENT))
			return tokens[i].activity;
	return -1;
}

/* --- notes of a PBX -------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	enum pbx_word word;
	bool takes_number;
} pbx_notes[] = {
	{ "Ready", PBX_IDLE, false },
	{ "Ringing", PBX_RINGING, true },
	{ "On the phone", PBX_TALKING, false },
	{ "On hold", PBX_HOLDING, false },
	{ "Unavailable", PBX_IDLE, false },
	{ "Available", PBX_IDLE, false },
	{ "Unregistered", PBX_IDLE, false },
	{ "Hold", PBX_HOLDING, true },
	{ "Talk", PBX_TALKING, true },
	{ "Ring", PBX_RINGING, true },
	{ "Idle", PBX_IDLE, false },
	{ "In use", PBX_TALKING, false },
	{ "Not in use", PBX_IDLE, false },
	{ "Not online", PBX_IDLE, false },
};

static bool looks_like_a_number(const char *text)
{
	return *text != '\0' && strpbrk(text, " \t\r\n") == NULL && strpbrk(text, "0123456789@") != NULL;
}

enum pbx_word pbx_word_of(const char *note, const char **ret_number)
{
	*ret_number = NULL;
	for (size_t i = 0; i < sizeof pbx_notes / sizeof *pbx_notes; i++) {
		size_t len = strlen(pbx_notes[i].text);

		if (strncasecmp(note, pbx_notes[i].text, len) != 0)
			continue;
		if (note[len] == '\0')
			return pbx_notes[i].word;
		if (pbx_notes[i].takes_number && note[len] == ' ' && looks_like_a_number(note + len + 1)) {
			*ret_number = note + len + 1;
			return pbx_notes[i].word;
		}
	}
	return PBX_NONE;
}
