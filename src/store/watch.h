/* watch.h - the poller's eye on the store: reads RUN_DIR/store.health, beside the loop.
 *
 * A store that is degraded is trouble, and so is one that has said nothing new for a while. */
#ifndef PW_WATCH_H
#define PW_WATCH_H

struct fail;
struct loop;
struct watch;

/* told gets why the store does not do its work, or NULL when it does: at every look, each 2 s.
 * For its first 15 s a store that says nothing is no trouble. */
struct watch *watch_new(struct loop *loop, const char *run_dir,
	void (*told)(const char *why, void *arg), void *arg, struct fail *why);
/* Seconds of journal that the store has not read, as it said last; NaN while it says nothing. */
double watch_lag(const struct watch *watch);
void watch_free(struct watch *watch); /* NULL is fine */
#endif
