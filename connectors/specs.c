/* specs.c: the list of what connectors there are.
 * SPDX-License-Identifier: MIT */
#include "connectors/spec.h"

#include <string.h>

#include "connectors/feed/feed_spec.h"
#include "connectors/sip/sip_spec.h"
#include "connectors/tapi/tapi_spec.h"

const struct connector_spec *const connector_specs[] = {
	&feed_spec,
	&sip_spec,
	&tapi_spec,
	NULL,
};

const struct connector_spec *connector_spec_find(const char *type)
{
	for (size_t i = 0; connector_specs[i] != NULL; i++)
		if (strcmp(connector_specs[i]->type, type) == 0)
			return connector_specs[i];
	return NULL;
}

const char *connector_spec_missing(const struct connector_spec *spec, const void *settings)
{
	const struct option *option = options_missing(spec->options, settings);

	if (option != NULL)
		return option->name;
	return spec->missing == NULL ? NULL : spec->missing(settings);
}
