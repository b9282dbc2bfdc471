#include "connectors/tapi/tapi_private.h"
#include <errno.h>
static int o(struct connector *c, char *e, size_t n)
{
	(void)c;
	(void)e;
	(void)n;
	return -ENOTSUP;
}
static void cl(struct connector *c)
{
	(void)c;
}
const struct tapi_wire bridge_wire = { .size = sizeof(struct connector), .open = o, .close = cl };
