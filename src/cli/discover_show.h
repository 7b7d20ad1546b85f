/* discover_show.h - what discover found, as a fragment of configuration or as JSON. */
#ifndef PW_DISCOVER_SHOW_H
#define PW_DISCOVER_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
#include "cli/suggest.h"
struct device;
struct inventory;

/* One address that answered, or refused to. */
struct found {
	struct net_addr address;
	const char *profile;  /* whose settings it answered to; NULL: the defaults */
	const struct device *configured; /* it is polled already; or NULL */
	char name[41];        /* proposed; "" when configured */
	char object_id[512], descr[256], sys_name[256]; /* "" when it has none */
	struct suggestion suggestion;
	char error[256];      /* "" : everything was asked */
};

/* Names for all that are not configured yet: each once, and none that is taken. */
void found_name_all(struct found *found, size_t count, const struct inventory *inventory);
/* The text of a file that can be included; malloc'ed. */
char *found_fragment(const struct found *found, size_t count);
json_t *found_json(const struct found *found, size_t count);
#endif
