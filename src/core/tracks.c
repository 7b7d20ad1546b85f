#include "core/tracks.h"

#include <stdlib.h>

#include "base/mem.h"

void
tracks_free(struct tracks *tracks)
{
	if (tracks->listed)
		free(tracks->list);
	*tracks = (struct tracks){ 0 };
}

void
tracks_begin(struct tracks *tracks, struct track *list, size_t count)
{
	tracks_free(tracks);
	*tracks = (struct tracks){ .list = list, .listed = true };
	tracks_gather(tracks, count);
}

void
tracks_gather(struct tracks *tracks, size_t count)
{
	struct track *list;

	if (!tracks->listed)
		return;
	list = tracks->list;
	for (size_t i = 0; i < count; i++)
		if (list[i].id == 0 || list[i].id != list[0].id + i || list[i].next != list[0].next)
			return;
	*tracks = (struct tracks){ .id = count > 0 ? list[0].id : 0,
		.next = count > 0 ? list[0].next : 0 };
	free(list);
}

static void
spread(struct tracks *tracks, size_t count)
{
	struct track *list = mem_array(count, sizeof *list);

	for (size_t i = 0; i < count; i++)
		list[i] = tracks_at(tracks, i);
	*tracks = (struct tracks){ .list = list, .listed = true };
}

void
tracks_advance_any(struct tracks *tracks, size_t count, size_t place, uint32_t next)
{
	if (tracks_at(tracks, place).next == next)
		return;
	if (!tracks->listed)
		spread(tracks, count);
	tracks->list[place].next = next;
}
