/* fuzz_pidf.c: a presence document is refused with a sentence, or gives facts that are good.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz_facts.h"

#include "connectors/sip/pidf_document.h"

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
	fuzz_facts(&reading.rich);
	fuzz_facts(&reading.telephony);
	return 0;
}
