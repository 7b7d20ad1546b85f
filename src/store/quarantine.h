/* quarantine.h - files whose writing killed the store again and again, by name.
 *
 * STATE_DIR/quarantine, one line "INODE FILE" for each, replaced as a whole. It outlives the
 * store: else two such files would take turns in killing it and no other were ever written.
 * A file is held by its inode: one that was moved away, restored or copied anew is free. */
#ifndef PW_QUARANTINE_H
#define PW_QUARANTINE_H

#include <stdbool.h>
struct quarantine;

/* A list that cannot be read is logged and taken as empty. */
struct quarantine *quarantine_open(const char *state_dir, const char *rrd_dir);
void quarantine_close(struct quarantine *quarantine);
/* file is below rrd_dir. A list that cannot be saved is logged; it holds until the end. */
void quarantine_add(struct quarantine *quarantine, const char *file);
/* One that is another file by now is taken from the list. */
bool quarantine_holds(struct quarantine *quarantine, const char *file);
#endif
