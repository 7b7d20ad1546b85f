/* service.h - what the store answers on RUN_DIR/flush.sock.
 *
 * A line is a question, words in any case, as rrdcached takes them, so that a stock
 * `rrdtool --daemon unix:RUN_DIR/flush.sock` sees what is still in memory (graph, xport and
 * fetch ask by FETCH):
 *   FLUSH FILE, FLUSHALL, PENDING FILE, PING, QUIT
 *   FETCH FILE FUNCTION [FROM [TO]], INFO FILE, FIRST FILE [ARCHIVE], LAST FILE, STATS
 * Files are below RRD_DIR, nothing can be written;
 * and two words of our own, for backups (store/lease.h):
 *   HOLD      from its answer on checkpoint and ledger stay as they are, and no segment of
 *             the journal is dropped; a checkpoint under way is waited for
 *   HOLD JOURNAL   from here on only the journal's segments stay
 *   RELEASE   ends it, as does the end of the connection, and a limit of time
 * The answer's first line begins with a number: below 0 a refusal, else how many lines
 * follow it. */
#ifndef PW_SERVICE_H
#define PW_SERVICE_H

#include <stdint.h>
struct fail;
struct keeper;
struct loop;
struct service;

struct service_options {
	struct loop *loop;
	const char *rrd_dir;
	int64_t hold_limit; /* ns of a HOLD without another word; 0: 24 h */
	/* The keeper, whose clock is right; NULL and why while there is none. */
	struct keeper *(*keeper)(void *arg, struct fail *why);
	void *arg;
};

/* fd: a listening unix socket, the service's from here on. */
struct service *service_new(const struct service_options *options, int fd);
/* Whoever asked for a file before the journal was read is answered as soon as it is; to be called
 * whenever some of it was. All three: NULL is fine. */
void service_go_on(struct service *service);
/* A checkpoint that was under way has ended, well or not. */
void service_checkpoint_ended(struct service *service);
/* The keeper is going to be another one: who holds something has lost it, and is told so by
 * the end of its connection. */
void service_end_holds(struct service *service);
void service_free(struct service *service); /* NULL is fine; ends what clients hold */
#endif
