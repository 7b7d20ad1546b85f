/* reserve.h - segments whose space is already allocated: a disk that others fill does not stop
 * the journal before they are used up; and zeros that stand ready where frames will be.
 *
 * STATE_DIR/journal/N.spare, empty files with blocks behind their end (FALLOC_FL_KEEP_SIZE).
 * A new segment is a spare under another name; a missing spare is made again while the disk
 * has room for others as well. What has been a segment is never used again, so nothing old can
 * be taken for new.
 *
 * A write into blocks that were never written changes the file's metadata, and fdatasync then
 * waits for a transaction of the file system and so for everybody's. Where zeros stand on disk
 * it changes nothing but data. File systems that write nothing in place (btrfs, zfs, bcachefs)
 * are spared the zeros.
 *
 * One thread fills, another one may take and extend at the same time. */
#ifndef PW_RESERVE_H
#define PW_RESERVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESERVE_MOST 64

struct reserve {
	char *state_dir;
	unsigned wanted;        /* spares, at most RESERVE_MOST */
	size_t size;            /* bytes of each */
	_Atomic uint64_t there; /* bits: which spares there are */
	_Atomic bool ends;      /* gives up what it is making */
	bool cannot;            /* the file system allocates nothing ahead; the filling thread's */
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
size_t reserve_bytes(const struct reserve *reserve); /* in spares */
/* Writes zeros behind the end of a segment until it has `size` bytes, and syncs. 0 also where
 * the disk has no room for that, or it makes no sense; -1 and errno. */
int reserve_extend(struct reserve *reserve, int fd, size_t size);

/* Allocates blocks behind the end of a file; its size stays. 0 or -1 and errno; EOPNOTSUPP is
 * how some file systems say that they cannot. */
int reserve_allocate(int fd, size_t size);
/* Bytes that the file system of a folder has left for us, UINT64_MAX when it does not say. */
uint64_t reserve_room(const char *folder);
#endif
