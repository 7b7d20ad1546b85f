/* reserve.h - segments whose space is already allocated: a disk that others fill does not stop
 * the journal before they are used up.
 *
 * STATE_DIR/journal/N.spare, empty files with blocks behind their end (FALLOC_FL_KEEP_SIZE).
 * A new segment is a spare under another name; a missing spare is made again while the disk
 * has room for others as well. Called by the writer's worker. */
#ifndef PW_RESERVE_H
#define PW_RESERVE_H

#include <stddef.h>
#include <stdint.h>

#define RESERVE_MOST 64

struct reserve {
	char *state_dir;
	unsigned wanted; /* spares, at most RESERVE_MOST */
	size_t size;     /* bytes of each */
	uint64_t there;  /* bits: which spares there are */
};

/* Spares of a former run are taken over, those beyond `wanted` deleted. No disk is touched
 * when wanted is 0. */
void reserve_open(struct reserve *reserve, const char *state_dir, unsigned wanted, size_t size);
void reserve_close(struct reserve *reserve);
/* Makes a spare the file `path`: its fd, -1 and errno (ENOENT: there is none). */
int reserve_take(struct reserve *reserve, const char *path);
/* Makes one that is missing. 1 made, 0 all are there, or the disk has too little room to take
 * it from others, or cannot allocate ahead; -1 and errno. */
int reserve_fill(struct reserve *reserve);
size_t reserve_bytes(const struct reserve *reserve); /* allocated in spares */

/* Allocates blocks behind the end of a file; its size stays. 0 or -1 and errno; EOPNOTSUPP is
 * how some file systems say that they cannot. */
int reserve_allocate(int fd, size_t size);
/* Frees what was allocated behind the end and not used. */
void reserve_give_back(int fd);
/* Bytes that the file system of a folder has left for us, UINT64_MAX when it does not say. */
uint64_t reserve_room(const char *folder);
#endif
