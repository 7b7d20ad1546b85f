/* tracks.h - the series of one row, each with the next slot to close.
 *
 * Nearly always their ids follow one another and all wait for the same slot: then these two
 * numbers stand for them, and while a poll is told, a bit for each that is a slot ahead. What
 * is not like that has a list of its own for as long as it is so. Owns that list. */
#ifndef PW_TRACKS_H
#define PW_TRACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number and no pointer, and steps are whole seconds. */
struct track {
	uint32_t id;   /* of its series; 0: the catalogue refused it */
	uint32_t next; /* slots before this one are closed */
};

struct tracks { /* zeroed at first: there are none */
	union {
		struct track *list;  /* if `listed`, and then nothing else counts */
		struct {
			uint32_t id, next; /* of the first; of those that are not ahead */
		};
	};
	uint64_t told;               /* by place: these are ahead */
	uint32_t ahead;              /* the next one of those that are */
	bool listed;
};

/* Takes over a list from the heap, in place of what was there. */
void tracks_begin(struct tracks *tracks, struct track *list, size_t count);
void tracks_free(struct tracks *tracks); /* then as at first */

static inline struct track
tracks_at(const struct tracks *tracks, size_t place)
{
	if (tracks->listed)
		return tracks->list[place];
	return (struct track){ tracks->id + (uint32_t)place,
		place < 64 && (tracks->told >> place & 1) != 0 ? tracks->ahead : tracks->next };
}

/* Whatever is advanced to what; see below. */
void tracks_advance_any(struct tracks *tracks, size_t count, size_t place, uint32_t next);

/* Slots of the one at that place are closed up to next - 1. For each value of a plant: nearly
 * always all are alike, and it is this one's turn. */
static inline void
tracks_advance(struct tracks *tracks, size_t count, size_t place, uint32_t next)
{
	uint64_t bit = UINT64_C(1) << place % 64;

	if (tracks->listed || count > 64 || tracks->next == next ||
		(tracks->told & bit) != 0 || (tracks->told != 0 && tracks->ahead != next)) {
		tracks_advance_any(tracks, count, place, next);
		return;
	}
	tracks->ahead = next;
	tracks->told |= bit;
	if (tracks->told == UINT64_MAX >> (64 - count)) {
		tracks->next = next;
		tracks->told = 0;
	}
}
/* The same of `some` in a row, from that place on. */
static inline void
tracks_advance_some(struct tracks *tracks, size_t count, size_t place, size_t some, uint32_t next)
{
	if (!tracks->listed && tracks->told == 0 && some == count) {
		tracks->next = next;
		return;
	}
	for (size_t end = place + some; place < end; place++)
		tracks_advance(tracks, count, place, next);
}
/* May they be told together that they are closed up to that slot? Each of them waited for it, or
 * for one before it. some: 1 or more. */
static inline bool
tracks_wait(const struct tracks *tracks, size_t place, size_t some, int64_t slot)
{
	if (tracks->listed || tracks->id == 0 || tracks->next > slot || place + some > 64)
		return false;
	return (tracks->told >> place & UINT64_MAX >> (64 - some)) == 0;
}
/* Are the slots before that one closed of all? False: perhaps not. */
static inline bool
tracks_all_reach(const struct tracks *tracks, int64_t slot)
{
	return !tracks->listed && tracks->told == 0 && tracks->next >= slot;
}
/* After a poll: goes without a list again where that is possible. */
void tracks_gather(struct tracks *tracks, size_t count);
#endif
