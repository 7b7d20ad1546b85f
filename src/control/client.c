#include "control/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/str.h"

struct call {
	struct loop *loop;
	struct net_stream *stream;
	struct loop_timer deadline;
	json_t *request;
	char *bytes;
	size_t size;
	int error;
	bool late;
};

static void
connected(void *arg)
{
	struct call *call = arg;
	char *text = json_dumps(call->request, JSON_COMPACT);

	net_stream_send(call->stream, text, strlen(text));
	net_stream_send(call->stream, "\n", 1);
	free(text);
}

static void
received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct call *call = arg;

	(void)mono;
	call->bytes = mem_grow(call->bytes, call->size + size, 1);
	memcpy(call->bytes + call->size, data, size);
	call->size += size;
}

static void
closed(int error, void *arg)
{
	struct call *call = arg;

	call->error = error;
	loop_stop(call->loop);
}

static void
give_up(void *arg)
{
	struct call *call = arg;

	call->late = true;
	loop_stop(call->loop);
}

static json_t *
read_answer(const struct call *call, const char *path, int64_t timeout, struct fail *why)
{
	json_error_t where;
	json_t *answer;
	char span[32];

	if (call->late) {
		fail_set(why, "%s: no answer within %s", path, str_time_span(span, sizeof span, timeout));
		return NULL;
	}
	if (call->error != 0) {
		fail_set(why, "%s: %s", path, strerror(call->error));
		return NULL;
	}
	answer = json_loadb(call->bytes, call->size, 0, &where);
	if (answer == NULL)
		fail_set(why, "%s: the answer is cut off or no JSON", path);
	return answer;
}

json_t *
client_call(const char *run_dir, const char *command, int64_t timeout, struct fail *why)
{
	return client_ask(run_dir, json_pack("{s:s}", "command", command), timeout, why);
}

json_t *
client_ask(const char *run_dir, json_t *request, int64_t timeout, struct fail *why)
{
	static const struct net_stream_events events = { connected, received, closed };
	struct call call = { .request = request };
	char *path = mem_format("%s/ctl.sock", run_dir);
	json_t *answer = NULL;

	call.loop = loop_new(why);
	if (call.loop == NULL)
		goto out;
	loop_timer_init(&call.deadline, give_up, &call);
	call.stream = net_stream_connect_unix(call.loop, path, &events, &call, why);
	if (call.stream == NULL)
		goto out;
	loop_timer_in(call.loop, &call.deadline, timeout);
	loop_run(call.loop);
	loop_timer_stop(call.loop, &call.deadline);
	answer = read_answer(&call, path, timeout, why);
	net_stream_close(call.stream);
out:
	loop_free(call.loop);
	json_decref(request);
	free(call.bytes);
	free(path);
	return answer;
}
