#include "reach/tcp.h"

#include <stddef.h>

#include "base/loop.h"

static void
end(struct tcp_knock *knock, int error)
{
	int64_t took = loop_mono(knock->loop) - knock->sent_at;

	tcp_cancel(knock);
	knock->over(knock, error, took, knock->arg);
}

static void
on_connected(void *arg)
{
	end(arg, 0);
}

/* Some servers greet; net reads that away before the end, or they would see a reset. */
static void
on_received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	(void)data;
	(void)size;
	(void)mono;
	(void)arg;
}

static void
on_closed(int error, void *arg)
{
	end(arg, error);
}

int
tcp_start(struct loop *loop, struct tcp_knock *knock, const struct net_addr *to,
	struct fail *why)
{
	static const struct net_stream_events events = { .connected = on_connected,
		.received = on_received, .closed = on_closed };

	knock->loop = loop;
	knock->sent_at = loop_mono(loop);
	knock->stream = net_stream_connect(loop, to, &events, knock, why);
	return knock->stream != NULL ? 0 : -1;
}

void
tcp_cancel(struct tcp_knock *knock)
{
	net_stream_close(knock->stream);
	knock->stream = NULL;
}
