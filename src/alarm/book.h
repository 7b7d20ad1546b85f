/* book.h - the open alarms, and the numbers that alarms and notices get.
 *
 * Every transition is journalled here, and only what was taken by the journal counts: when
 * it takes nothing (0), the call fails, no number is used up, and the caller tries again
 * with the next sample or second. Used by alarms.c and outage.c. */
#ifndef PW_BOOK_H
#define PW_BOOK_H

#include <stdbool.h>
#include <uthash.h>
#include "alarm/transition.h"
#include "journal/record.h"
struct loop;

struct alarm {
	struct transition last; /* what was journalled last; severity is the alarm's */
	int64_t heard_at;       /* wall ns when a slot of its series was told last, 0 never */
	int64_t step;           /* ns, of that series */
	UT_hash_handle hh;      /* by last.key */
};
struct book {
	struct loop *loop;
	struct alarm *open;     /* in the order of raising */
	uint32_t next_sequence, next_id;
	int64_t began;          /* mono ns when this poller began */
	uint64_t (*record)(void *arg, enum record_kind kind, const void *body, size_t size);
	void (*changed)(void *arg, const struct transition *transition, uint64_t journal);
	void *arg;
};

void book_free(struct book *book); /* the alarms, not the book */
struct alarm *book_find(const struct book *book, const char *key);

/* draft has all but sequence, id, kind, time, since. NULL: not taken (or already open). */
struct alarm *book_raise(struct book *book, const struct transition *draft);
/* New severity, value, text, root, budget out of the draft. */
bool book_change(struct book *book, struct alarm *alarm, const struct transition *draft);
/* A suppressed alarm becomes a cause of its own: raised again, same id, now with a number. */
bool book_unsuppress(struct book *book, struct alarm *alarm);
/* Frees the alarm when it worked. value may be NULL: none. */
bool book_clear(struct book *book, struct alarm *alarm, const char *value, const char *text);
/* STARTED or STOPPING, with the count and the worst (SEVERITY_CLEARED: nothing) of
 * what is open. */
bool book_announce(struct book *book, enum condition condition, uint32_t lost);

/* Restart: takes a journalled transition as it stands. */
void book_replay(struct book *book, const struct transition *transition);
/* After a restore: no number below these is given. */
void book_raise_numbers(struct book *book, uint32_t next_sequence, uint32_t next_id);
#endif
