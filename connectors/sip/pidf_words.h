/* pidf_words.h: the words of presence documents: activities (RFC 4480 and what Cisco adds), and notes of a PBX. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_PIDF_WORDS_H
#define PRESENCED_PIDF_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* The words of activities that stand together, as a set. */
typedef uint64_t pidf_words;

/* Add a word. False: it is not known here. */
bool pidf_words_add(pidf_words *set, const char *word);

bool pidf_words_say_dnd(pidf_words set);

/* In a call, or being called. */
bool pidf_words_say_call(pidf_words set);
bool pidf_words_say_ringing(pidf_words set);

/* enum availability; -1: they say none. An activity never lowers an availability that is named beside it. */
int pidf_words_availability(pidf_words set);

/* enum activity; -1: they say none. */
int pidf_words_activity(pidf_words set);

/* The most available first: 0 for available, 6 for offline. */
int pidf_rank(int availability);

/* What a PBX writes into a note to tell of the line; the greater ones say that it is in use. */
enum pbx_word { PBX_NONE, PBX_IDLE, PBX_RINGING, PBX_TALKING, PBX_HOLDING };

/* Which of them a note is. With a number behind it ("Talk 101", *ret_number, else NULL) it tells of a call. */
enum pbx_word pbx_word_of(const char *note, const char **ret_number);

#endif
