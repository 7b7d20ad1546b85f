/* quarantine.h - files that are left alone, by name: those whose writing killed the store again
 * and again, and those that are not what the store writes.
 *
 * The former stand in STATE_DIR/quarantine, which is replaced as a whole and outlives the store:
 * else two such files would take turns in killing it and no other were ever written. A file is
 * held by inode, time and size: one that was replaced is free, and so is one that was mended in
 * its place. That frees a killer once; if it kills again only another inode does. */
#ifndef PW_QUARANTINE_H
#define PW_QUARANTINE_H

#include <stdbool.h>
struct fail;
struct quarantine;

/* A list that cannot be read is logged and taken as empty. NULL and why: descriptors are short, and
 * nobody knows whether there is one. */
struct quarantine *quarantine_open(const char *state_dir, const char *rrd_dir, struct fail *why);
void quarantine_close(struct quarantine *quarantine);
/* file is below rrd_dir. A list that cannot be saved is logged; it holds until the end. */
void quarantine_add(struct quarantine *quarantine, const char *file);
/* The list, where it could not be saved: called each minute. */
void quarantine_save_again(struct quarantine *quarantine);
/* A killer that is free by now is no longer held. */
bool quarantine_holds(struct quarantine *quarantine, const char *file);

/* Not what the store writes: held until it has changed, and until the store's end. False when
 * that was said of it for the same reason before. */
bool quarantine_note(struct quarantine *quarantine, const char *file, const char *reason);
/* Is a file that is held, for either reason, free by now? */
bool quarantine_frees(struct quarantine *quarantine, const char *file);
/* It was written: true when it had been held until then. */
bool quarantine_written(struct quarantine *quarantine, const char *file);
#endif
