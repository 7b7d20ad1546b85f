#include "store/lease.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/str.h"
#include "store/flush.h"

struct lease {
	struct loop *loop;
	struct net_stream *stream;
	struct loop_timer deadline;
	int64_t timeout;
	char *path;
	char answer[600];
	size_t used;
	int error; /* of the stream; it is dead then */
	bool connected, whole, late;
};

static void
connected(void *arg)
{
	struct lease *lease = arg;

	lease->connected = true;
	loop_stop(lease->loop);
}

static void
received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct lease *lease = arg;

	(void)mono;
	for (size_t i = 0; i < size && !lease->whole; i++) {
		lease->whole = data[i] == '\n';
		if (!lease->whole && lease->used < sizeof lease->answer - 1)
			lease->answer[lease->used++] = (char)data[i];
	}
	lease->answer[lease->used] = '\0';
	if (lease->whole)
		loop_stop(lease->loop);
}

static void
closed(int error, void *arg)
{
	struct lease *lease = arg;

	lease->error = error != 0 ? error : ECONNRESET;
	loop_stop(lease->loop);
}

static void
too_late(void *arg)
{
	struct lease *lease = arg;

	lease->late = true;
	loop_stop(lease->loop);
}

/* Until *done, the end of the stream, or the deadline; true when done. */
static bool
wait_until(struct lease *lease, const bool *done)
{
	loop_timer_in(lease->loop, &lease->deadline, lease->timeout);
	while (!*done && !lease->late && lease->error == 0)
		loop_run(lease->loop);
	loop_timer_stop(lease->loop, &lease->deadline);
	return *done;
}

static int
refuse(const struct lease *lease, struct fail *why)
{
	char span[24];

	if (lease->late)
		fail_set(why, "%s: no answer from the store within %s", lease->path,
			str_time_span(span, sizeof span, lease->timeout));
	else if (lease->connected)
		fail_set(why, "%s: the store has ended, or ended the hold", lease->path);
	else
		fail_set(why, "%s: %s", lease->path, strerror(lease->error));
	return -1;
}

static int
ask(struct lease *lease, const char *line, struct fail *why)
{
	lease->used = 0;
	lease->whole = false;
	if (lease->error != 0 || net_stream_send(lease->stream, line, strlen(line)) == -1 ||
		!wait_until(lease, &lease->whole))
		return refuse(lease, why);
	if (lease->answer[0] == '0')
		return 0;
	fail_set(why, "store: %s", lease->answer + strspn(lease->answer, "-0123456789 "));
	return -1;
}

struct lease *
lease_take(const char *run_dir, int64_t timeout, int *absent, struct fail *why)
{
	static const struct net_stream_events events = { connected, received, closed };
	struct lease *lease = mem_zero(sizeof *lease);

	lease->timeout = timeout;
	lease->path = mem_format("%s/" FLUSH_SOCKET, run_dir);
	if (absent != NULL)
		*absent = 0;
	lease->loop = loop_new(why);
	if (lease->loop == NULL)
		goto fail;
	loop_timer_init(&lease->deadline, too_late, lease);
	lease->stream = net_stream_connect_unix(lease->loop, lease->path, &events, lease, why);
	if (lease->stream == NULL)
		goto fail;
	if (!wait_until(lease, &lease->connected)) {
		if (absent != NULL)
			*absent = lease->error == ENOENT || lease->error == ECONNREFUSED;
		refuse(lease, why);
		goto fail;
	}
	if (ask(lease, "HOLD\n", why) == -1)
		goto fail;
	return lease;
fail:
	lease_free(lease);
	return NULL;
}

int
lease_keep_journal(struct lease *lease, struct fail *why)
{
	return ask(lease, "HOLD JOURNAL\n", why);
}

int
lease_end(struct lease *lease, struct fail *why)
{
	return ask(lease, "RELEASE\n", why);
}

void
lease_free(struct lease *lease)
{
	if (lease == NULL)
		return;
	net_stream_close(lease->stream);
	loop_free(lease->loop);
	free(lease->path);
	free(lease);
}
