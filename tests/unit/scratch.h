/* scratch.h - a folder of one's own for a test, removed with everything in it. */
#ifndef PW_SCRATCH_H
#define PW_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[256];

static inline int
scratch_remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline void
scratch_remove(void)
{
	if (scratch[0] != '\0')
		nftw(scratch, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	scratch[0] = '\0';
}

static inline const char *
scratch_make(void)
{
	const char *base = getenv("TMPDIR");

	/* Hundreds of fdatasync a second are cheap in memory only. */
	if (base == NULL)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	scratch_remove();
	snprintf(scratch, sizeof scratch, "%s/pollwerk-test-XXXXXX", base);
	if (mkdtemp(scratch) == NULL)
		abort();
	return scratch;
}

static inline const char *
scratch_path(const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
	return path;
}
#endif
