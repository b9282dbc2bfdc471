/* fuzz_pidf.c: a presence document is refused with a sentence, or gives facts that are good.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "connectors/sip/pidf_document.h"

static void check_facts(const struct raw_facts *facts)
{
	const char *wrong = raw_facts_check(facts);
	const struct raw_state *state;

	if (wrong != NULL)
		fprintf(stderr, "%s\n", wrong);
	assert(wrong == NULL);
	state = raw_state_new(facts); /* reads all that they borrow */
	assert(state != NULL);
	raw_state_unref(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct xml_reader *x; /* the same for all documents, as in the daemon */
	struct parse_error error = { { 0 } };
	struct pidf_reading reading;

	if (x == NULL)
		x = xml_reader_new();
	assert(x != NULL);
	if (pidf_read(x, (const char *)data, len, &reading, &error) < 0) {
		assert(error.text[0] != '\0' && utf8_is_valid(error.text, strlen(error.text)));
		return 0;
	}
	assert(reading.rich.domain == DOMAIN_RICH && reading.telephony.domain == DOMAIN_TELEPHONY);
	check_facts(&reading.rich);
	check_facts(&reading.telephony);
	return 0;
}
