/* numbers.h - which numbers alarms and notices have got, and how a restored poller gets none
 * of them a second time.
 *
 * A journal that comes back from a backup knows nothing of the notices sent after it was
 * taken. Receivers do: a number with another content would be taken for a repeat and thrown
 * away. So the restored journal gets one more segment with a KIND_NUMBERS record, and goes
 * on behind it. */
#ifndef PW_NUMBERS_H
#define PW_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>
struct fail;

struct numbers {
	uint32_t next_sequence, next_id; /* of notices and of alarms; 1 in an empty journal */
	uint64_t record;                 /* the journal's last one */
};

/* As a starting poller would find them; run_dir NULL: without what stands aside (aside.h).
 * -1 and why when the journal cannot be read. */
int numbers_read(const char *state_dir, const char *run_dir, struct numbers *numbers,
	struct fail *why);
/* A segment behind the newest, synced, that says: none below these. The journal is nobody
 * else's at that time; numbers->record is where it ends. */
int numbers_raise(const char *state_dir, const struct numbers *numbers, struct fail *why);

/* Where nothing is known of what was sent since: that far ahead. */
#define NUMBERS_AHEAD 1000000
#endif
