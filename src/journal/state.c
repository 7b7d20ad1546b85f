#include "journal/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "journal/segment.h"

#define RETRY_INTERVAL (10 * LOOP_S)
/* What a killed daemon leaves behind ends by itself, the store once it has written. */
#define LEFT_BEHIND 60 /* s */
#define LOOK_AGAIN (20 * LOOP_MS)

struct fact {
	char *key, *value;
	UT_hash_handle hh;
};

struct state {
	struct loop *loop;
	char *path;
	struct fact *facts;
	struct loop_timer retry;
	struct loop_worker *worker;
	bool changed, busy, refused;
	void (*tell)(struct state_file *file, void *arg); /* or NULL */
	void *tell_arg;
	/* the worker's while busy */
	char *text;
	size_t size;
	bool ran, ok;
	struct fail why;
};

/* ---- the file: one line a fact, KEY TAB VALUE, with \\ \t \n \r escaped ---- */

static void
write_escaped(FILE *file, const char *text)
{
	for (; *text != '\0'; text++) {
		static const char special[] = "\\\t\n\r", letter[] = "\\tnr";
		const char *found = strchr(special, *text);

		if (found == NULL)
			fputc(*text, file);
		else
			fprintf(file, "\\%c", letter[found - special]);
	}
}

static bool
unescape(char *text)
{
	char *to = text;

	for (char *from = text; *from != '\0'; from++) {
		static const char special[] = "\\\t\n\r", letter[] = "\\tnr";
		const char *found;

		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		found = *++from == '\0' ? NULL : strchr(letter, *from);
		if (found == NULL)
			return false;
		*to++ = special[found - letter];
	}
	*to = '\0';
	return true;
}

static void
read_line(struct state *state, char *line, int number)
{
	char *tab = strchr(line, '\t');

	line[strcspn(line, "\n")] = '\0';
	if (tab != NULL)
		*tab = '\0';
	if (tab != NULL && unescape(line) && unescape(tab + 1))
		state_set(state, line, tab + 1);
	else
		log_warn("%s:%d: damaged line left out", state->path, number);
}

static int
read_file(struct state *state, struct fail *why)
{
	FILE *file = fopen(state->path, "re");
	char *line = NULL;
	size_t room = 0;
	int number = 0, failed;

	if (file == NULL && errno == ENOENT)
		return 0;
	if (file == NULL) {
		fail_set(why, "%s: %s", state->path, strerror(errno));
		return -1;
	}
	while (getline(&line, &room, file) != -1)
		read_line(state, line, ++number);
	failed = ferror(file);
	free(line);
	fclose(file);
	if (failed)
		fail_set(why, "%s: %s", state->path, strerror(EIO));
	return failed ? -1 : 0;
}

/* ---- in the worker ---- */

static int
write_temporary(const struct state *state, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	int saved;

	if (fd == -1)
		return -1;
	if (file_write(fd, state->text, state->size, 0) == -1 || fsync(fd) == -1)
		goto fail;
	return close(fd);
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
save(void *arg)
{
	struct state *state = arg;
	char *temporary = mem_format("%s.new", state->path);
	char *directory = mem_text(state->path);
	char *slash = strrchr(directory, '/');

	if (slash != NULL)
		*slash = '\0';
	state->ran = true;
	state->ok = write_temporary(state, temporary) == 0 &&
		rename(temporary, state->path) == 0 &&
		segment_sync_path(slash == NULL ? "." : directory) == 0;
	if (!state->ok)
		fail_set(&state->why, "%s: %s", state->path, strerror(errno));
	free(directory);
	free(temporary);
}

/* ---- on the loop ---- */

static void
saved(void *arg)
{
	struct state *state = arg;

	state->busy = false;
	free(state->text);
	state->text = NULL;
	if (!state->ok && !state->refused)
		log_error("%s, tried again each 10 s", state->why.text);
	if (state->ok && state->refused)
		log_info("%s: can be written again", state->path);
	state->refused = !state->ok;
	if (!state->ok) {
		state->changed = true;
		loop_timer_in(state->loop, &state->retry, RETRY_INTERVAL);
	} else if (state->changed) {
		state_save(state);
	}
}

struct state_file {
	FILE *stream;
};

void
state_put(struct state_file *file, const char *key, const char *value)
{
	write_escaped(file->stream, key);
	fputc('\t', file->stream);
	write_escaped(file->stream, value);
	fputc('\n', file->stream);
}

void
state_on_save(struct state *state, void (*tell)(struct state_file *, void *), void *arg)
{
	state->tell = tell;
	state->tell_arg = arg;
}

static void
take_text(struct state *state)
{
	struct state_file file = { open_memstream(&state->text, &state->size) };

	if (file.stream == NULL)
		abort();
	for (struct fact *fact = state->facts; fact != NULL; fact = fact->hh.next)
		state_put(&file, fact->key, fact->value);
	if (state->tell != NULL)
		state->tell(&file, state->tell_arg);
	if (fclose(file.stream) != 0)
		abort();
	state->changed = false;
}

static void
save_now(void *arg)
{
	struct state *state = arg;

	if (state->busy || !state->changed)
		return;
	take_text(state);
	state->busy = true;
	state->ran = false;
	if (!loop_worker_kick(state->worker)) {
		state->busy = false;
		state->changed = true;
		free(state->text);
		state->text = NULL;
		loop_timer_in(state->loop, &state->retry, LOOP_S);
	}
}

void
state_save(struct state *state)
{
	/* A moment later, so that many calls in one turn are one save. */
	if (state->changed && !state->busy && !loop_timer_armed(&state->retry))
		loop_timer_in(state->loop, &state->retry, 100 * LOOP_MS);
}

bool
state_saved(const struct state *state)
{
	return !state->changed && !state->busy;
}

struct state *
state_open(struct loop *loop, const char *path, struct fail *why)
{
	struct state *state = mem_zero(sizeof *state);

	state->loop = loop;
	state->path = mem_text(path);
	loop_timer_init(&state->retry, save_now, state);
	if (read_file(state, why) == -1)
		goto fail;
	state->changed = false;
	state->worker = loop_worker_new(loop, save, saved, state, why);
	if (state->worker == NULL)
		goto fail;
	return state;
fail:
	state_close(state);
	return NULL;
}

static void
drop(struct state *state, struct fact *fact)
{
	HASH_DEL(state->facts, fact);
	free(fact->key);
	free(fact->value);
	free(fact);
}

bool
state_close(struct state *state)
{
	struct fact *fact, *next;
	bool lost;

	if (state == NULL)
		return true;
	loop_worker_free(state->worker);
	loop_timer_stop(state->loop, &state->retry);
	if (state->busy && !(state->ran && state->ok))
		state->changed = true;
	free(state->text);
	state->text = NULL;
	if (state->worker != NULL && state->changed) {
		take_text(state);
		save(state);
		state->changed = !state->ok;
		if (!state->ok)
			log_error("%s", state->why.text);
		free(state->text);
	}
	lost = state->worker != NULL && state->changed;
	HASH_ITER(hh, state->facts, fact, next)
		drop(state, fact);
	free(state->path);
	free(state);
	return !lost;
}

const char *
state_get(const struct state *state, const char *key)
{
	struct fact *fact;

	HASH_FIND_STR(state->facts, key, fact);
	return fact == NULL ? NULL : fact->value;
}

void
state_set(struct state *state, const char *key, const char *value)
{
	struct fact *fact;

	HASH_FIND_STR(state->facts, key, fact);
	if (fact == NULL ? value == NULL : value != NULL && strcmp(fact->value, value) == 0)
		return;
	state->changed = true;
	if (value == NULL) {
		drop(state, fact);
		return;
	}
	if (fact == NULL) {
		fact = mem_zero(sizeof *fact);
		fact->key = mem_text(key);
		HASH_ADD_KEYPTR(hh, state->facts, fact->key, strlen(fact->key), fact);
	}
	/* The new text first: it may be a part of the old one. */
	value = mem_text(value);
	free(fact->value);
	fact->value = (char *)value;
}

bool
state_take(struct state *state, const char *key, char *to, size_t size)
{
	struct fact *fact;

	HASH_FIND_STR(state->facts, key, fact);
	if (fact == NULL || strlen(fact->value) >= size)
		return false;
	memcpy(to, fact->value, strlen(fact->value) + 1);
	drop(state, fact);
	return true;
}

void
state_touch(struct state *state)
{
	state->changed = true;
}

/* ---- the lock ---- */

/* Who holds it, as it is written there; "" where nothing is. */
static void
read_owner(int fd, char *text, size_t size)
{
	ssize_t got = pread(fd, text, size - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* The daemon is gone, and processes of its are there still. */
static bool
is_left_behind(const char *owner)
{
	long pid = strtol(owner, NULL, 10);

	return pid > 0 && kill((pid_t)pid, 0) == -1 && errno == ESRCH;
}

static bool
take_lock(int fd, const char *dir, char *owner, size_t size)
{
	int64_t looks = LEFT_BEHIND * LOOP_S / LOOK_AGAIN;

	for (bool told = false; flock(fd, LOCK_EX | LOCK_NB) == -1; told = true) {
		read_owner(fd, owner, size);
		if (looks-- == 0 || !is_left_behind(owner))
			return false;
		if (!told)
			log_info("%s: waiting for what the pollwerkd that has gone (pid %s) left behind",
				dir, owner);
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_AGAIN }, NULL);
	}
	return true;
}

void
state_lock_sign(int fd)
{
	char text[24];
	int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	/* Only a word for people: a full disk must not keep the daemon from starting. */
	if (ftruncate(fd, 0) == -1 || pwrite(fd, text, (size_t)length, 0) == -1)
		log_warn("lock of the state directory: %s", strerror(errno));
}

int
state_lock(const char *dir, struct fail *why)
{
	char path[SEGMENT_PATH], owner[24] = "";
	int fd;

	snprintf(path, sizeof path, "%s/lock", dir);
	if (mkdir(dir, 0750) == -1 && errno != EEXIST) {
		fail_set(why, "%s: %s", dir, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1) {
		fail_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (!take_lock(fd, dir, owner, sizeof owner)) {
		fail_set(why, "%s: in use by another pollwerkd (pid %s)", dir,
			*owner != '\0' ? owner : "unknown");
		close(fd);
		return -1;
	}
	state_lock_sign(fd);
	return fd;
}
