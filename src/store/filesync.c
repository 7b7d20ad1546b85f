#include "store/filesync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"

struct filesync {
	char *rrd_dir;
	char *names[FILESYNC_SINGLY];
	int fds[FILESYNC_SINGLY], root;
	size_t count;
	bool whole, ran, failed;
	struct fail why;
};

struct filesync *
filesync_new(const char *rrd_dir)
{
	struct filesync *sync = mem_zero(sizeof *sync);

	sync->rrd_dir = mem_text(rrd_dir);
	sync->root = -1;
	return sync;
}

static void
note_failure(struct filesync *sync, const char *file)
{
	if (sync->failed)
		return;
	fail_set(&sync->why, "%s%s%s: %s", sync->rrd_dir, file != NULL ? "/" : "",
		file != NULL ? file : "", strerror(errno));
	sync->failed = true;
}

void
filesync_add(struct filesync *sync, const char *file)
{
	char *path;
	int fd;

	if (sync->whole)
		return;
	if (sync->count == FILESYNC_SINGLY) {
		sync->whole = true;
		sync->root = open(sync->rrd_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (sync->root == -1)
			note_failure(sync, NULL);
		return;
	}
	path = mem_format("%s/%s", sync->rrd_dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd == -1 && errno != ENOENT)
		note_failure(sync, file);
	if (fd == -1)
		return;
	sync->names[sync->count] = mem_text(file);
	sync->fds[sync->count++] = fd;
}

void
filesync_run(struct filesync *sync)
{
	sync->ran = true;
	if (sync->root != -1 && syncfs(sync->root) == -1)
		note_failure(sync, NULL);
	for (size_t i = 0; i < sync->count && !sync->whole; i++)
		if (fdatasync(sync->fds[i]) == -1)
			note_failure(sync, sync->names[i]);
}

int
filesync_end(struct filesync *sync, struct fail *why)
{
	bool failed;

	if (!sync->ran)
		filesync_run(sync);
	failed = sync->failed;
	if (failed && why != NULL)
		*why = sync->why;
	for (size_t i = 0; i < sync->count; i++) {
		close(sync->fds[i]);
		free(sync->names[i]);
	}
	if (sync->root != -1)
		close(sync->root);
	free(sync->rrd_dir);
	free(sync);
	return failed ? -1 : 0;
}
