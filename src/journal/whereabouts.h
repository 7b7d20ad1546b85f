/* whereabouts.h - what the writing roles are inside of just now, visible from outside.
 *
 * RUN_DIR/where is a mapped page that outlives its process. A test that kills a role reads
 * there what the kill fell into; the store finds the file at which its predecessor died.
 * One relaxed store a call; without whereabouts_open nothing happens. */
#ifndef PW_WHEREABOUTS_H
#define PW_WHEREABOUTS_H

#include <stdint.h>

enum whereabouts_role { WHERE_JOURNAL = 0, WHERE_STORE = 1 };
enum whereabouts_code {
	WHERE_ELSE = 0,
	WHERE_WRITE = 1,
	WHERE_FDATASYNC = 2,
	WHERE_RRD_UPDATE = 3,
	WHERE_CHECKPOINT = 4,
};

#define WHEREABOUTS_FILE 240
/* The page, in the machine's byte order. */
struct whereabouts {
	uint64_t code[8];    /* by role */
	uint64_t died[8][8]; /* by role and code: how often a process found that its predecessor had ended there */
	uint32_t deaths;     /* stores that died in a row inside an update of `file` */
	uint32_t pad;
	char file[WHEREABOUTS_FILE];
};

/* Maps RUN_DIR/where, making it when missing. Where that fails nothing is published. */
void whereabouts_open(const char *run_dir);
void whereabouts_close(void);
void whereabouts_set(enum whereabouts_role role, enum whereabouts_code code);

/* Once at the start of a role: counts where its predecessor ended. */
void whereabouts_begin(enum whereabouts_role role);
/* The store, after that: the file inside whose update its predecessors died, and how often in
 * a row; NULL when the last one did not end like that. */
const char *whereabouts_died_at(unsigned *times);
void whereabouts_enter_file(const char *file); /* before an update; WHERE_RRD_UPDATE */
void whereabouts_leave_file(void);             /* it came back: deaths begin at 0 again */
#endif
