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

const char *const *
device_parents(const struct device *device)
{
	static const char *const none[] = { NULL };

	return device->about == NULL || device->about->parents == NULL ? none :
		device->about->parents;
}

const struct device *
inventory_find(const struct inventory *inventory, const char *name)
{
	size_t low = 0, high = inventory->device_count;

	if (inventory->by_name == NULL) {
		for (size_t i = 0; i < inventory->device_count; i++)
			if (strcmp(inventory->devices[i].name, name) == 0)
				return &inventory->devices[i];
		return NULL;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct device *device = &inventory->devices[inventory->by_name[middle]];
		int order = strcmp(name, device->name);

		if (order == 0)
			return device;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
