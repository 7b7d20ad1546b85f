#include "store/flush.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "base/str.h"

/* Questions that may be under way: the store finds the next one when it has answered one, and is
 * kept from its other clients by a few only. */
#define AHEAD 8
#define FILE_MOST 1000 /* octets of a name */

struct questions {
	struct loop *loop;
	struct net_stream *stream;
	struct loop_timer deadline; /* of the next answer */
	const char *const *files;   /* one NULL: all that the store has */
	size_t count, asked, answered, refused;
	void (*refuse)(const char *why, void *arg);
	void *arg;
	const char *path;
	int64_t timeout;
	char line[4096]; /* of an answer */
	size_t used;
	int error; /* of the stream */
	bool garbled, late;
};

static void
ask(struct questions *questions)
{
	char line[FILE_MOST + 100];

	while (questions->asked < questions->count &&
		questions->asked < questions->answered + AHEAD) {
		const char *file = questions->files[questions->asked++];
		int length = file == NULL ? snprintf(line, sizeof line, "FLUSHALL\n") :
			snprintf(line, sizeof line, "FLUSH %s\n", file);

		net_stream_send(questions->stream, line, (size_t)length);
	}
}

static void
connected(void *arg)
{
	ask(arg);
}

static void
take_answer(struct questions *questions, const char *line)
{
	questions->answered++;
	if (line[0] == '0')
		return;
	questions->refused++;
	questions->refuse(line + strspn(line, "-0123456789 "), questions->arg);
}

static void
received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct questions *questions = arg;

	(void)mono;
	for (size_t i = 0; i < size && questions->answered < questions->count; i++) {
		if (questions->used == sizeof questions->line - 1) {
			questions->garbled = true;
			loop_stop(questions->loop);
			return;
		}
		questions->line[questions->used++] = (char)data[i];
		if (data[i] != '\n')
			continue;
		questions->line[questions->used - 1] = '\0';
		questions->used = 0;
		take_answer(questions, questions->line);
		loop_timer_in(questions->loop, &questions->deadline, questions->timeout);
	}
	ask(questions);
	if (questions->answered == questions->count)
		loop_stop(questions->loop);
}

static void
closed(int error, void *arg)
{
	struct questions *questions = arg;

	questions->error = error != 0 ? error : ECONNRESET;
	loop_stop(questions->loop);
}

static void
too_late(void *arg)
{
	struct questions *questions = arg;

	questions->late = true;
	loop_stop(questions->loop);
}

static int
judge(const struct questions *questions, struct fail *why)
{
	char span[24];

	if (questions->answered == questions->count)
		return questions->refused > 0 ? 1 : 0;
	if (questions->late)
		fail_set(why, "%s: no answer from the store within %s", questions->path,
			str_time_span(span, sizeof span, questions->timeout));
	else if (questions->garbled)
		fail_set(why, "%s: the store's answer is no line", questions->path);
	else
		fail_set(why, "%s: %s", questions->path, strerror(questions->error));
	return -1;
}

static int
run(struct questions *questions, struct fail *why)
{
	static const struct net_stream_events events = { connected, received, closed };
	int result = -1;

	questions->loop = loop_new(why);
	if (questions->loop == NULL)
		return -1;
	questions->stream = net_stream_connect_unix(questions->loop, questions->path, &events,
		questions, why);
	if (questions->stream != NULL) {
		loop_timer_init(&questions->deadline, too_late, questions);
		loop_timer_in(questions->loop, &questions->deadline, questions->timeout);
		loop_run(questions->loop);
		loop_timer_stop(questions->loop, &questions->deadline);
		result = judge(questions, why);
		net_stream_close(questions->stream);
	}
	loop_free(questions->loop);
	return result;
}

int
store_flush_files(const char *run_dir, const char *const *files, size_t count, int64_t timeout,
	void (*refuse)(const char *why, void *arg), void *arg, struct fail *why)
{
	char path[512];
	struct questions questions = { .files = files, .count = count, .timeout = timeout,
		.refuse = refuse, .arg = arg, .path = path };

	for (size_t i = 0; i < count; i++)
		if (files[i] != NULL &&
			(strlen(files[i]) > FILE_MOST || strchr(files[i], '\n') != NULL)) {
			fail_set(why, "no file name to be flushed: \"%s\"", files[i]);
			return -1;
		}
	snprintf(path, sizeof path, "%s/" FLUSH_SOCKET, run_dir);
	return count == 0 ? 0 : run(&questions, why);
}

static void
keep_reason(const char *said, void *why)
{
	fail_set(why, "store: %s", said);
}

int
store_flush_client(const char *run_dir, const char *file, int64_t timeout, struct fail *why)
{
	return store_flush_files(run_dir, &file, 1, timeout, keep_reason, why, why);
}
