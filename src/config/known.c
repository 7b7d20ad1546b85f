/* What the globs of thresholds and paths can be held against before any device was asked. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"

static void
add(struct build *build, const struct device *device, const char *table, const char *point,
	const struct point *source, int64_t interval, enum point_kind kind)
{
	struct known *known;

	if ((build->known_count & (build->known_count - 1)) == 0)
		build->known = mem_grow(build->known,
			build->known_count == 0 ? 1 : build->known_count * 2, sizeof *build->known);
	known = &build->known[build->known_count++];
	*known = (struct known){
		.device = device, .point = point, .source = source, .table = table,
		.interval = interval, .kind = kind,
	};
	known->text = table == NULL ?
		arena_format(build->scratch, "%s/%s", device->name, point) :
		arena_format(build->scratch, "%s/%s[*]/%s", device->name, table, point);
}

void
known_build(struct build *build)
{
	static const struct point_state up_states[] = { { 0, "down" }, { 1, "up" } };
	static const struct point up = { .name = "up", .states = up_states, .state_count = 2 };
	static const char *const own[] = { "up", "rtt", "loss" };

	build->known_first = mem_array(build->device_count, sizeof *build->known_first);
	for (size_t i = 0; i < build->device_count; i++) {
		const struct device *device = &build->devices[i];

		build->known_first[i] = build->known_count;
		for (size_t k = 0; k < 3; k++)
			add(build, device, NULL, own[k], k == 0 ? &up : NULL, device_interval(device),
				k == 0 ? POINT_STATE : POINT_GAUGE);
		for (size_t g = 0; g < device->group_count; g++) {
			const struct group *group = &device->groups[g];

			for (size_t p = 0; p < group->point_count; p++)
				add(build, device, group->table, group->points[p].name,
					&group->points[p], group->interval, group->points[p].kind);
		}
	}
}

/* Do the two patterns have a text in common? Row i of the table: glob from i on. */
bool
known_meets(const char *glob, const char *other)
{
	size_t n = strlen(glob), m = strlen(other), same = 0;
	bool *meets, result;

	/* Most pairs differ before the first wildcard. */
	while (glob[same] != '\0' && strchr("*?", glob[same]) == NULL && other[same] != '*' &&
		glob[same] == other[same])
		same++;
	if (strchr("*?", glob[same]) == NULL && glob[same] != other[same] && other[same] != '*')
		return false;
	if (glob[same] == '\0' || other[same] == '\0')
		return strspn(glob + same, "*") + same == n && strspn(other + same, "*") + same == m;
	meets = mem_array((n + 1) * (m + 1), sizeof *meets);
	for (size_t i = n + 1; i-- > 0;) {
		for (size_t k = m + 1; k-- > 0;) {
			bool *at = &meets[i * (m + 1) + k];

			if (i == n && k == m)
				*at = true;
			else if (i < n && glob[i] == '*')
				*at = at[m + 1] || (k < m && at[1]);
			else if (k < m && other[k] == '*')
				*at = at[1] || (i < n && at[m + 1]);
			else
				*at = i < n && k < m && (glob[i] == other[k] || glob[i] == '?') &&
					at[m + 2];
		}
	}
	result = meets[0];
	free(meets);
	return result;
}

/* Known paths stand by device: a glob that names one need not be held against the others. */
static size_t
first_of_device(struct build *build, const char *glob)
{
	size_t length = strcspn(glob, "*?/");

	if (glob[length] != '/')
		return 0;
	for (size_t k = 0; k < build->device_count; k++) {
		size_t i = (build->known_device + k) % build->device_count;
		const char *name = build->devices[i].name;

		if (strncmp(name, glob, length) == 0 && name[length] == '\0') {
			build->known_device = i;
			return build->known_first[i];
		}
	}
	return 0;
}

size_t
known_match(struct build *build, const char *glob, size_t from)
{
	if (from == 0)
		from = first_of_device(build, glob);
	while (from < build->known_count && !known_meets(glob, build->known[from].text))
		from++;
	return from;
}

/* Names are compared as wholes, then by the point's name among what the device part meets. */
const char *
known_nearest(const struct build *build, const char *text)
{
	const char **words = mem_array(build->known_count + 1, sizeof *words);
	const char *near, *slash = strrchr(text, '/');
	size_t count = 0;

	for (size_t i = 0; i < build->known_count; i++)
		words[i] = build->known[i].text;
	near = str_nearest(text, words);
	if (near == NULL && slash != NULL) {
		char *place = mem_format("%.*s/*", (int)(slash - text), text);

		for (size_t i = 0; i < build->known_count; i++) {
			if (known_meets(place, build->known[i].text))
				words[count++] = build->known[i].point;
		}
		words[count] = NULL;
		near = str_nearest(slash + 1, words);
		for (size_t i = 0; near != NULL && i < build->known_count; i++) {
			if (build->known[i].point == near) {
				near = build->known[i].text;
				break;
			}
		}
		free(place);
	}
	free(words);
	return near;
}
