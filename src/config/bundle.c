#include "config/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"

enum { FILE_MAX = 4 << 20, BUNDLE_MAX = 256 << 20 };

/* On the descriptor: this head, then per file a head, its path, its text. Read only by the
 * program that wrote it, but checked all the same. */
static const char magic[8] = "pwconf2";
struct file_head {
	uint32_t kind, path_size;
	uint64_t text_size;
};

struct bundle_file *
bundle_add(struct bundle *bundle, enum bundle_kind kind, const char *path, const char *text,
	size_t size)
{
	struct bundle_file *file = mem_zero(sizeof *file);

	file->kind = kind;
	file->path = mem_text(path);
	file->text = mem_zero(size + 1);
	memcpy(file->text, text, size);
	file->size = size;
	bundle->files = mem_grow(bundle->files, bundle->count + 1, sizeof *bundle->files);
	bundle->files[bundle->count++] = file;
	return file;
}

static int
check_file(int fd, enum bundle_kind kind, struct stat *st, struct fail *why)
{
	if (fstat(fd, st) == -1) {
		fail_set(why, "%s", strerror(errno));
		return -1;
	}
	if (S_ISDIR(st->st_mode)) {
		fail_set(why, "is a directory, not a file");
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		fail_set(why, "is not a regular file");
		return -1;
	}
	if (st->st_size > FILE_MAX) {
		fail_set(why, "is larger than 4 MB");
		return -1;
	}
	if (st->st_mode & S_IWOTH) {
		fail_set(why, "everybody may write it: chmod o-w");
		return -1;
	}
	if (kind != BUNDLE_SECRETS && kind != BUNDLE_CREDENTIAL && kind != BUNDLE_KEY)
		return 0;
	/* Debian keeps keys for a group, ssl-cert. */
	if (kind == BUNDLE_KEY && (st->st_mode & 037) != 0) {
		fail_set(why, "is a private key, and others than its owner and group may read it "
			"(or its group write it): chmod 0640, or 0400");
		return -1;
	}
	if (kind == BUNDLE_SECRETS && (st->st_mode & 077) != 0) {
		fail_set(why, "others than its owner may read the secrets in it: chmod 0400");
		return -1;
	}
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		fail_set(why, "holds secrets and belongs to another user (uid %u): its owner must "
			"be root or the user who runs this", (unsigned)st->st_uid);
		return -1;
	}
	return 0;
}

char *
bundle_read(const char *path, enum bundle_kind kind, size_t *size, struct fail *why)
{
	struct stat st;
	char *text = NULL;
	ssize_t n = 1;
	/* O_NONBLOCK: opening a pipe somebody put there must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*size = 0;
	if (fd == -1) {
		fail_set(why, "%s", strerror(errno));
		return NULL;
	}
	if (check_file(fd, kind, &st, why) == -1)
		goto fail;
	text = mem_zero((size_t)st.st_size + 2);
	while (n > 0 && *size <= (size_t)st.st_size) {
		n = read(fd, text + *size, (size_t)st.st_size + 1 - *size);
		if (n == -1) {
			fail_set(why, "%s", strerror(errno));
			goto fail;
		}
		*size += (size_t)n;
	}
	if (*size > (size_t)st.st_size) {
		fail_set(why, "grew while it was read: try again");
		goto fail;
	}
	close(fd);
	return text;
fail:
	close(fd);
	free(text);
	return NULL;
}

static int
put(int fd, off_t *at, const void *bytes, size_t size, struct fail *why)
{
	if (file_write(fd, bytes, size, (uint64_t)*at) == -1) {
		fail_set(why, "configuration bundle: write: %s", strerror(errno));
		return -1;
	}
	*at += (off_t)size;
	return 0;
}

int
bundle_write(const struct bundle *bundle, int fd, struct fail *why)
{
	off_t at = 0;

	if (put(fd, &at, magic, sizeof magic, why) == -1)
		return -1;
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_file *file = bundle->files[i];
		struct file_head head = {
			(uint32_t)file->kind, (uint32_t)strlen(file->path), file->size
		};

		if (put(fd, &at, &head, sizeof head, why) == -1 ||
			put(fd, &at, file->path, head.path_size, why) == -1 ||
			put(fd, &at, file->text, file->size, why) == -1)
			return -1;
	}
	return 0;
}

static bool
get(int fd, off_t *at, void *to, size_t size)
{
	char *into = to;

	while (size > 0) {
		ssize_t n = pread(fd, into, size, *at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		into += n;
		size -= (size_t)n;
		*at += n;
	}
	return true;
}

static int
load_file(struct bundle *bundle, int fd, off_t *at)
{
	struct file_head head;
	char *path = NULL, *text = NULL;
	int status = -1;

	if (!get(fd, at, &head, sizeof head) || head.kind > BUNDLE_KEY ||
		head.path_size > 4096 || head.text_size > FILE_MAX)
		return -1;
	path = mem_zero((size_t)head.path_size + 1);
	text = mem_zero((size_t)head.text_size + 1);
	if (get(fd, at, path, head.path_size) && get(fd, at, text, (size_t)head.text_size)) {
		bundle_add(bundle, head.kind, path, text, (size_t)head.text_size);
		status = 0;
	}
	explicit_bzero(text, (size_t)head.text_size);
	free(path);
	free(text);
	return status;
}

int
bundle_load(struct bundle *bundle, int fd, struct fail *why)
{
	char begin[sizeof magic];
	struct stat st;
	off_t at = 0;

	if (fstat(fd, &st) == -1) {
		fail_set(why, "configuration bundle: %s", strerror(errno));
		return -1;
	}
	if (st.st_size > BUNDLE_MAX || !get(fd, &at, begin, sizeof begin) ||
		memcmp(begin, magic, sizeof magic) != 0) {
		fail_set(why, "configuration bundle: not one of this version");
		return -1;
	}
	while (at < st.st_size) {
		if (load_file(bundle, fd, &at) == -1) {
			fail_set(why, "configuration bundle: damaged at byte %jd", (intmax_t)at);
			return -1;
		}
	}
	return 0;
}

void
bundle_free(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++) {
		explicit_bzero(bundle->files[i]->text, bundle->files[i]->size);
		free(bundle->files[i]->text);
		free(bundle->files[i]->path);
		free(bundle->files[i]);
	}
	free(bundle->files);
	*bundle = (struct bundle){ 0 };
}
