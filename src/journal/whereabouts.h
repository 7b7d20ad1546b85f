/* whereabouts.h - what the writing roles are inside of just now, visible from outside.
 *
 * RUN_DIR/where is a mapped page that outlives its process. A test that kills a role reads
 * there what the kill fell into; the store finds the file at which its predecessor died.
 * One relaxed store a call; without whereabouts_open nothing happens. */
#ifndef PW_WHEREABOUTS_H
#define PW_WHEREABOUTS_H

#include <stdint.h>

enum whereabouts_role { WHERE_JOURNAL = 0, WHERE_STORE = 1, WHERE_SYNC = 2 /* the store's thread */ };
enum whereabouts_code {
	WHERE_ELSE = 0,
	WHERE_WRITE = 1,
	WHERE_FDATASYNC = 2,
	WHERE_RRD_UPDATE = 3,
	WHERE_CHECKPOINT = 4,
};

#define WHEREABOUTS_FILE 240
#define WHEREABOUTS_SUSPECTS 8
#define WHEREABOUTS_TIMES 48
/* The page, in the machine's byte order. */
struct whereabouts {
	uint64_t code[8];    /* by role */
	uint64_t died[8][8]; /* by role and code: how often a process found that its predecessor had ended there */
	char file[WHEREABOUTS_FILE]; /* that the store is inside of */
	/* Files inside whose update stores died, and how often since the last one that came back. */
	struct whereabouts_suspect {
		uint64_t deaths; /* 0: a free place */
		char file[WHEREABOUTS_FILE];
	} suspects[WHEREABOUTS_SUSPECTS];
	uint64_t fault[8];   /* by role: the signal of a fault of its own that ended it, 0 none */
	/* How long a batch's first record took to be durable: times up to 0.1 ms x 2^(n/3), from
	 * 0.1 ms to 5 s and anything above; [1]: while the store synced its files. */
	uint64_t committed[2][WHEREABOUTS_TIMES];
};

/* Maps RUN_DIR/where, making it when missing. Where that fails nothing is published. */
void whereabouts_open(const char *run_dir);
void whereabouts_close(void);
void whereabouts_set(enum whereabouts_role role, enum whereabouts_code code);
/* The journal is committed so long (ns) after a batch's first record. */
void whereabouts_committed(int64_t time);

/* Once at the start of a role: counts where its predecessor ended. */
void whereabouts_begin(enum whereabouts_role role);
/* After that: SIGBUS, SIGSEGV, SIGILL, SIGFPE and SIGABRT of this process are noted before they
 * end it. What kills from outside (SIGKILL: an operator, the kernel out of memory) is not. */
void whereabouts_watch_faults(enum whereabouts_role role);
/* The store, after whereabouts_begin: the file inside whose update its predecessor died of such
 * a fault, and how often one has since the last update of it that came back; NULL when it did
 * not end like that. */
const char *whereabouts_died_at(unsigned *times);
void whereabouts_enter_file(const char *file); /* before an update; WHERE_RRD_UPDATE */
void whereabouts_leave_file(void);             /* it came back: no suspect any more */
#endif
