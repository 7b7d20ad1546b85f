#include "store/filesync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"

struct filesync {
	char *rrd_dir;
	char *names[FILESYNC_SINGLY];
	int fds[FILESYNC_SINGLY], root;
	size_t count, most;
	bool whole, ran, failed;
	struct fail why;
};

size_t
filesync_share(size_t most, unsigned part)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur / part >= most)
		return most;
	return limit.rlim_cur >= part ? (size_t)(limit.rlim_cur / part) : 1;
}

struct filesync *
filesync_new(const char *rrd_dir)
{
	struct filesync *sync = mem_zero(sizeof *sync);

	sync->rrd_dir = mem_text(rrd_dir);
	sync->most = filesync_share(FILESYNC_SINGLY, 8);
	/* Now: when it is needed, there may be no descriptor left. */
	sync->root = open(rrd_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return sync;
}

static void
note_failure(struct filesync *sync, const char *file)
{
	const char *slash = file != NULL ? "/" : "", *name = file != NULL ? file : "";
	int error = errno;
	struct rlimit limit;

	if (sync->failed)
		return;
	if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0)
		fail_set(&sync->why, "%s%s%s: too few file descriptors: the limit is %llu: "
			"raise LimitNOFILE or ulimit -n", sync->rrd_dir, slash, name,
			(unsigned long long)limit.rlim_cur);
	else
		fail_set(&sync->why, "%s%s%s: %s", sync->rrd_dir, slash, name, strerror(error));
	sync->failed = true;
}

static void
let_go(struct filesync *sync)
{
	for (size_t i = 0; i < sync->count; i++) {
		close(sync->fds[i]);
		free(sync->names[i]);
	}
	sync->count = 0;
}

/* What is held is part of it. */
static void
take_whole(struct filesync *sync)
{
	sync->whole = true;
	let_go(sync);
	if (sync->root != -1)
		return;
	sync->root = open(sync->rrd_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sync->root == -1)
		note_failure(sync, NULL);
}

void
filesync_add(struct filesync *sync, const char *file)
{
	char *path;
	int fd;

	if (sync->whole)
		return;
	if (sync->count == sync->most) {
		take_whole(sync);
		return;
	}
	path = mem_format("%s/%s", sync->rrd_dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd == -1 && file_is_unknown(errno))
		take_whole(sync);
	else if (fd == -1 && errno != ENOENT)
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
	if (sync->whole && sync->root != -1 && syncfs(sync->root) == -1)
		note_failure(sync, NULL);
	for (size_t i = 0; i < sync->count; i++)
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
	let_go(sync);
	if (sync->root != -1)
		close(sync->root);
	free(sync->rrd_dir);
	free(sync);
	return failed ? -1 : 0;
}
