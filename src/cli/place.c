#include "cli/place.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "core/device.h"
#include "core/latest.h"
#include "core/series.h"

int
place_open(struct place *place, const struct cmd_context *context, bool with_latest)
{
	struct fail why;

	*place = (struct place){ .inventory = cmd_inventory(context) };
	if (place->inventory == NULL)
		return -1;
	place->catalogue = series_open(place->inventory->poller.state_dir, false, &why);
	if (place->catalogue == NULL) {
		cmd_error("%s (has pollwerkd run with this configuration?)", why.text);
		place_close(place);
		return -1;
	}
	if (with_latest)
		place->latest = latest_open_reader(place->inventory->poller.run_dir, &why);
	if (with_latest && place->latest == NULL)
		cmd_error("%s: no newest values", why.text);
	return 0;
}

void
place_close(struct place *place)
{
	latest_close(place->latest);
	series_close(place->catalogue);
	inventory_unref(place->inventory);
}

static int
by_path(const void *a, const void *b)
{
	const struct series *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

const struct series **
place_find(const struct place *place, const char *glob, size_t *count)
{
	uint32_t last = series_last_id(place->catalogue);
	const struct series **list = mem_array(last, sizeof *list);

	*count = 0;
	for (uint32_t id = 1; id <= last; id++) {
		const struct series *series = series_get(place->catalogue, id);

		if (glob == NULL || str_glob(glob, series->path))
			list[(*count)++] = series;
	}
	qsort(list, *count, sizeof *list, by_path);
	return list;
}

int64_t
place_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}
