#include "cli/place.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "core/device.h"
#include "core/latest.h"
#include "core/series.h"
#include "store/flush.h"

#define LATEST INT64_C(9000000000) /* in 2255: later ones are too many ns */
#define TOLD 5 /* files that were not flushed */
#define NOT_FLUSHED "not flushed, the newest rows may be missing: "

int
place_open(struct place *place, const struct cmd_context *context, bool with_latest)
{
	struct fail why;

	*place = (struct place){ .catalogue = NULL };
	if (cmd_look(context, &place->dirs, &place->inventory) == -1)
		return -1;
	place->catalogue = series_open(place->dirs.state_dir, false, &why);
	if (place->catalogue == NULL) {
		cmd_error("%s%s", why.text, cmd_may_not(&why) ? CMD_MAY_NOT :
			" (has pollwerkd run with this configuration?)");
		place_close(place);
		return -1;
	}
	if (with_latest)
		place->latest = latest_open_reader(place->dirs.run_dir, &why);
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

/* ".25" and the like, to ns; *text is put behind it. */
static int64_t
read_fraction(const char **text)
{
	int64_t ns = 0, unit = LOOP_S;

	if (**text != '.')
		return 0;
	for (++*text; isdigit((unsigned char)**text); ++*text) {
		unit /= 10;
		ns += (**text - '0') * unit;
	}
	return ns;
}

/* "Z", or by how much the local time is ahead: "+01:00". */
static int
read_zone(const char *text, int64_t *ahead)
{
	int sign = *text == '-' ? -1 : 1, hours, minutes, used = 0;

	*ahead = 0;
	if (strcmp(text, "Z") == 0)
		return 0;
	if ((*text != '-' && *text != '+') || !isdigit((unsigned char)text[1]) ||
		sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5 ||
		text[6] != '\0' || hours > 23 || minutes < 0 || minutes > 59)
		return -1;
	*ahead = sign * (hours * 60 + minutes) * 60 * LOOP_S;
	return 0;
}

/* RFC 3339, section 5.6. */
static int
read_stamp(const char *text, int64_t *wall)
{
	struct tm fields = { 0 }, normal;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &fields);
	int64_t fraction, ahead, seconds;

	if (rest == NULL)
		return -1;
	fraction = read_fraction(&rest);
	normal = fields;
	seconds = (int64_t)timegm(&normal);
	/* timegm makes 2 March of 30 February. */
	if (read_zone(rest, &ahead) == -1 || normal.tm_mday != fields.tm_mday ||
		normal.tm_sec != fields.tm_sec || seconds < 0 || seconds > LATEST)
		return -1;
	*wall = seconds * LOOP_S + fraction - ahead;
	return 0;
}

int
place_time(const char *text, int64_t *wall)
{
	double seconds;
	int64_t back;

	if (text[0] == '-' && str_duration(text + 1, &back, NULL) == 0) {
		*wall = place_now() - back;
		return 0;
	}
	if (strcmp(text, "now") == 0) {
		*wall = place_now();
		return 0;
	}
	/* "-5" is meant otherwise, and nothing is from before 1970. */
	if (str_double(text, &seconds, NULL) == 0 && seconds >= 0 && seconds <= (double)LATEST) {
		*wall = (int64_t)(seconds * 1e9);
		return 0;
	}
	return read_stamp(text, wall);
}

int
place_take_time(const struct cmd *cmd, const char *option, const char *text, int64_t *wall)
{
	if (place_time(text, wall) == 0)
		return CMD_OK;
	return cmd_usage(cmd, "%s: \"%s\" is no time: expected " PLACE_TIMES, option, text);
}

static void
tell_refusal(const char *why, void *arg)
{
	size_t *said = arg;

	if ((*said)++ < TOLD)
		cmd_error(NOT_FLUSHED "store: %s", why);
}

int
place_flush(const struct place *place, const struct series *const *list, size_t count)
{
	const char **files = mem_array(count + 1, sizeof *files);
	size_t file_count = 0, said = 0;
	struct fail why;
	int result;

	for (size_t i = 0; i < count; i++)
		if (*list[i]->file != '\0' && (file_count == 0 ||
			strcmp(list[i]->file, files[file_count - 1]) != 0))
			files[file_count++] = list[i]->file;
	result = store_flush_files(place->dirs.run_dir, files, file_count, 5 * LOOP_S,
		tell_refusal, &said, &why);
	free(files);
	if (result == -1)
		cmd_error(NOT_FLUSHED "%s", why.text);
	if (said > TOLD)
		cmd_error("%zu other files were not, either", said - TOLD);
	return result == -1 ? -1 : 0;
}
