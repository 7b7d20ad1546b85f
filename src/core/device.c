#include "core/device.h"

#include <string.h>

struct inventory *
inventory_ref(struct inventory *inventory)
{
	inventory->references++;
	return inventory;
}

void
inventory_unref(struct inventory *inventory)
{
	if (inventory != NULL && --inventory->references == 0 && inventory->free != NULL)
		inventory->free(inventory);
}

const struct device *
inventory_find(const struct inventory *inventory, const char *name)
{
	for (size_t i = 0; i < inventory->device_count; i++)
		if (strcmp(inventory->devices[i].name, name) == 0)
			return &inventory->devices[i];
	return NULL;
}
