#include "store/flush.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "base/str.h"

struct question {
	struct loop *loop;
	struct net_stream *stream;
	struct loop_timer deadline;
	const char *file, *path;
	char answer[600];
	size_t used;
	int error; /* of the stream */
	bool whole, late;
};

static void
connected(void *arg)
{
	struct question *question = arg;
	char line[1100];
	int length = question->file == NULL ? snprintf(line, sizeof line, "FLUSHALL\n") :
		snprintf(line, sizeof line, "FLUSH %s\n", question->file);

	net_stream_send(question->stream, line, (size_t)length);
}

static void
received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct question *question = arg;
	size_t room = sizeof question->answer - 1 - question->used;
	char *end;

	(void)mono;
	if (size > room)
		size = room;
	memcpy(question->answer + question->used, data, size);
	question->used += size;
	end = memchr(question->answer, '\n', question->used);
	if (end == NULL && question->used < sizeof question->answer - 1)
		return;
	question->answer[end == NULL ? (ptrdiff_t)question->used : end - question->answer] = '\0';
	question->whole = end != NULL;
	loop_stop(question->loop);
}

static void
closed(int error, void *arg)
{
	struct question *question = arg;

	question->error = error != 0 ? error : ECONNRESET;
	loop_stop(question->loop);
}

static void
too_late(void *arg)
{
	struct question *question = arg;

	question->late = true;
	loop_stop(question->loop);
}

static int
judge(const struct question *question, int64_t timeout, struct fail *why)
{
	char span[24];

	if (question->whole && question->answer[0] == '0')
		return 0;
	if (question->whole) {
		fail_set(why, "store: %s", question->answer + strspn(question->answer, "-0123456789 "));
		return 1;
	}
	if (question->late)
		fail_set(why, "%s: no answer from the store within %s", question->path,
			str_time_span(span, sizeof span, timeout));
	else if (question->error != 0)
		fail_set(why, "%s: %s", question->path, strerror(question->error));
	else
		fail_set(why, "%s: the store's answer is no line", question->path);
	return -1;
}

int
store_flush_client(const char *run_dir, const char *file, int64_t timeout, struct fail *why)
{
	static const struct net_stream_events events = { connected, received, closed };
	struct question question = { .file = file };
	char path[512];
	int result = -1;

	if (file != NULL && (strlen(file) > 1000 || strchr(file, '\n') != NULL)) {
		fail_set(why, "no file name to be flushed: \"%s\"", file);
		return -1;
	}
	snprintf(path, sizeof path, "%s/" FLUSH_SOCKET, run_dir);
	question.path = path;
	question.loop = loop_new(why);
	if (question.loop == NULL)
		return -1;
	question.stream = net_stream_connect_unix(question.loop, path, &events, &question, why);
	if (question.stream != NULL) {
		loop_timer_init(&question.deadline, too_late, &question);
		loop_timer_in(question.loop, &question.deadline, timeout);
		loop_run(question.loop);
		loop_timer_stop(question.loop, &question.deadline);
		result = judge(&question, timeout, why);
		net_stream_close(question.stream);
	}
	loop_free(question.loop);
	return result;
}
