/* state.h - small durable facts: a text file of keys and values (row maps, engine boots).
 *
 * Kept in memory, saved as a whole: temporary file, fsync, rename, fsync of the directory,
 * all in a worker. So a crash leaves the old file or the new one. One file and so one thread
 * for each room, never for each device. Not for facts that must agree with the journal: they
 * belong into its snapshot. Also the lock that keeps a state_dir with one daemon. */
#ifndef PW_STATE_H
#define PW_STATE_H

#include <stdbool.h>
#include <stddef.h>
struct fail;
struct loop;
struct state;

/* Reads the file; a missing one is empty, a damaged line is left out and logged. */
struct state *state_open(struct loop *loop, const char *path, struct fail *why);
/* Saves what is not saved yet, waits for it, frees; false when that failed (logged). */
bool state_close(struct state *state);

/* NULL when not there; valid until the key is set again. Any text but NUL may be a key or
 * a value. */
const char *state_get(const struct state *state, const char *key);
void state_set(struct state *state, const char *key, const char *value); /* NULL removes */
/* Takes it out, for who keeps it in another form from now on and tells it by state_on_save: what
 * is to be saved does not change by that. False when it is not there or does not fit. */
bool state_take(struct state *state, const char *key, char *to, size_t size);
/* What else stands in the file: tell is called on the loop each time it is about to be written,
 * and puts facts that state_set does not know. state_touch: they have changed. */
struct state_file;
void state_on_save(struct state *state, void (*tell)(struct state_file *file, void *arg), void *arg);
void state_put(struct state_file *file, const char *key, const char *value);
void state_touch(struct state *state);
/* Has it saved soon when something has changed; returns at once. A disk that refuses is
 * logged once and tried again every 10 s. */
void state_save(struct state *state);
bool state_saved(const struct state *state); /* what is set is what is on disk */

/* Takes DIR/lock until the process ends (a child that inherits the fd holds it too): the
 * fd, or -1 and "DIR: in use by another pollwerkd (pid N)". Waits up to a minute for the children
 * of one that was killed. Makes DIR when it is missing. */
int state_lock(const char *dir, struct fail *why);
/* Writes our pid into the lock; again after a fork whose parent ends. */
void state_lock_sign(int fd);
#endif
