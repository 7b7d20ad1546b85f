#include "store/root.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"

struct root {
	char *path;
	int notes, watch;
	bool known, unmounted;
	uint64_t device, inode; /* when known */
};

static void
look(struct root *root)
{
	struct stat info;

	if (root->watch == -1)
		root->watch = inotify_add_watch(root->notes, root->path, IN_DELETE_SELF);
	if (root->known || stat(root->path, &info) == -1)
		return;
	root->known = true;
	root->device = (uint64_t)info.st_dev;
	root->inode = (uint64_t)info.st_ino;
}

struct root *
root_new(const char *rrd_dir)
{
	struct root *root = mem_zero(sizeof *root);

	root->path = mem_text(rrd_dir);
	root->watch = -1;
	/* Where there is none (out of instances), -1: unmounts are not noticed. */
	root->notes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	look(root);
	return root;
}

void
root_free(struct root *root)
{
	if (root == NULL)
		return;
	if (root->notes != -1)
		close(root->notes);
	free(root->path);
	free(root);
}

bool
root_was_unmounted(struct root *root)
{
	char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t got = root->notes == -1 ? -1 : read(root->notes, bytes, sizeof bytes);
	const struct inotify_event *event;
	bool unmounted = false;

	for (ssize_t at = 0; at < got; at += (ssize_t)(sizeof *event + event->len)) {
		event = (const void *)(bytes + at);
		unmounted |= (event->mask & IN_UNMOUNT) != 0;
		if ((event->mask & IN_IGNORED) != 0 && event->wd == root->watch)
			root->watch = -1;
	}
	root->unmounted |= unmounted;
	look(root);
	return unmounted;
}

/* A disk that comes back keeps its inodes and perhaps not its number; a folder made anew
 * keeps the number of its disk. */
bool
root_is_away(const struct root *root, struct fail *why)
{
	struct stat info;

	if (!root->unmounted || !root->known || stat(root->path, &info) == -1 ||
		(uint64_t)info.st_dev == root->device || (uint64_t)info.st_ino == root->inode)
		return false;
	fail_set(why, "%s: its file system was unmounted", root->path);
	return true;
}
