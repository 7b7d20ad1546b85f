/* aside.h - alarm transitions that the journal's segments cannot take just now.
 *
 * A notice may go out only once its number and content are safe: else a kill would give the
 * number to another one. While the disk refuses segments, the records of transitions (and of
 * what was delivered) are therefore written here as well: STATE_DIR/journal/transitions,
 * whose space was allocated in good times, and where that cannot be written (read-only, I/O
 * error) RUN_DIR/transitions, which outlives every process but no reboot. Frames as in
 * journal/record.h, without a header; the first one that is damaged or whose sequence does
 * not grow ends the file. They keep their sequence: a reader of the journal takes from here
 * what is newer than the newest record there. Once the journal has them, they are voided.
 *
 * The writer's worker writes, a starting poller reads. */
#ifndef PW_ASIDE_H
#define PW_ASIDE_H

#include <stddef.h>
#include <stdint.h>
struct aside;
struct fail;
struct record;

#define ASIDE_SIZE (1u << 20) /* of a file: a thousand transitions and more */

/* run_dir NULL: STATE_DIR only. Touches no disk. */
struct aside *aside_open(const char *state_dir, const char *run_dir);
void aside_close(struct aside *aside);
/* Sees to it that the file in STATE_DIR is there with its space; 0 or -1 and errno. */
int aside_reserve(struct aside *aside);
/* Adds frames and syncs; newest: the last one's sequence. -1 and why: neither place takes them. */
int aside_write(struct aside *aside, const uint8_t *frames, size_t size, uint64_t newest,
	struct fail *why);
/* The journal holds all records up to this sequence: what stands here may go. */
void aside_done(struct aside *aside, uint64_t sequence);

/* Calls take for each record with a sequence above *newest, in order, which is then the highest of
 * all. -1 and why: whether there is anything cannot be told just now. A file that cannot be read
 * is as none. */
int aside_read(const char *state_dir, const char *run_dir, uint64_t *newest,
	void (*take)(const struct record *record, void *arg), void *arg, struct fail *why);
#endif
