/* tcp_limit - what the same registers cost on bare sockets: the base line of tests/bench/modbus.
 *
 *   tcp_limit --base ADDRESS --port P --servers N --regs R --interval MS --seconds T [--tick 1]
 *
 * Asks each of N Modbus TCP servers for R holding registers over a connection of its own by a
 * ready-made request, in which the transaction id alone changes, once in each interval, the
 * servers spread over its 10 ms ticks; interval 0: flat out, the next request of a server goes
 * out when the answer to the former is in. Reads when something is there; with --tick once in
 * a tick. Looks at id and length of an answer and does nothing else with it. Times out never:
 * what does not answer is not counted. Prints
 *   exchanges N / exchanges_per_s X / cpu_s_per_100k X */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "meter.h"

#define TICK 10000000LL
#define EVENTS 64

struct server {
	int fd;
	uint16_t tid;
	bool waiting;
	uint32_t filled;
	uint8_t request[12];
	uint8_t answer[260];
};

struct limit {
	int epoll;
	struct server *servers;
	uint32_t count, regs;
	int64_t interval, seconds;
	bool tick;
	struct sockaddr_in base;
	uint64_t exchanges, missed;
};

static void
ask(struct limit *limit, struct server *server)
{
	if (server->waiting) {
		limit->missed++;
		return;
	}
	server->tid++;
	server->request[0] = (uint8_t)(server->tid >> 8);
	server->request[1] = (uint8_t)server->tid;
	server->waiting = send(server->fd, server->request, sizeof server->request,
		MSG_NOSIGNAL) == (ssize_t)sizeof server->request;
	server->filled = 0;
}

static void
receive(struct limit *limit, struct server *server)
{
	uint32_t wanted = 9 + 2 * limit->regs;
	ssize_t size = recv(server->fd, server->answer + server->filled,
		sizeof server->answer - server->filled, 0);

	if (size <= 0) {
		epoll_ctl(limit->epoll, EPOLL_CTL_DEL, server->fd, NULL);
		return;
	}
	server->filled += (uint32_t)size;
	if (server->filled < wanted)
		return;
	if (server->answer[0] != server->request[0] || server->answer[1] != server->request[1])
		return;
	server->waiting = false;
	limit->exchanges++;
	if (limit->interval == 0)
		ask(limit, server);
}

/* Waits so long at most. Returns how many had something. */
static int
receive_all(struct limit *limit, int64_t wait)
{
	struct epoll_event events[EVENTS];
	struct timespec most = { wait / METER_SECOND, wait % METER_SECOND };
	int count = epoll_pwait2(limit->epoll, events, EVENTS, &most, NULL);

	for (int i = 0; i < count; i++)
		receive(limit, events[i].data.ptr);
	return count;
}

static void
run_flat_out(struct limit *limit, int64_t end)
{
	for (uint32_t i = 0; i < limit->count; i++)
		if (!limit->servers[i].waiting)
			ask(limit, &limit->servers[i]);
	while (meter_mono() < end)
		receive_all(limit, METER_SECOND / 10);
}

/* On each tick: those whose turn it is. */
static void
run_paced(struct limit *limit, int64_t end)
{
	int64_t start = meter_mono() / TICK * TICK + TICK;
	uint64_t turn = 0;

	for (int64_t due = start; due < end; due += TICK) {
		for (int64_t left; (left = due - meter_mono()) > 0;) {
			struct timespec wait = { left / METER_SECOND, left % METER_SECOND };

			if (limit->tick)
				nanosleep(&wait, NULL);
			else
				receive_all(limit, left);
		}
		while (limit->tick && receive_all(limit, 0) == EVENTS)
			continue;
		for (; start + (int64_t)turn * limit->interval / limit->count <= due; turn++)
			ask(limit, &limit->servers[turn % limit->count]);
	}
}

static int
connect_all(struct limit *limit)
{
	for (uint32_t i = 0; i < limit->count; i++) {
		struct server *server = &limit->servers[i];
		struct sockaddr_in to = limit->base;
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = server };
		const uint8_t request[12] = { 0, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0,
			(uint8_t)limit->regs };
		int on = 1;

		memcpy(server->request, request, sizeof request);
		to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) + i);
		server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (server->fd == -1 ||
			connect(server->fd, (struct sockaddr *)&to, sizeof to) == -1)
			return -1;
		fcntl(server->fd, F_SETFL, O_NONBLOCK);
		setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (epoll_ctl(limit->epoll, EPOLL_CTL_ADD, server->fd, &event) == -1)
			return -1;
	}
	return 0;
}

static int
read_options(struct limit *limit, int argc, char **argv)
{
	limit->base.sin_family = AF_INET;
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];

		if (strcmp(argv[i], "--base") == 0)
			inet_pton(AF_INET, value, &limit->base.sin_addr);
		else if (strcmp(argv[i], "--port") == 0)
			limit->base.sin_port = htons((uint16_t)atoi(value));
		else if (strcmp(argv[i], "--servers") == 0)
			limit->count = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--regs") == 0)
			limit->regs = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--interval") == 0)
			limit->interval = atoll(value) * 1000000;
		else if (strcmp(argv[i], "--seconds") == 0)
			limit->seconds = atoll(value);
		else if (strcmp(argv[i], "--tick") == 0)
			limit->tick = atoi(value) != 0;
		else
			return -1;
	}
	return limit->base.sin_port != 0 && limit->count > 0 && limit->regs > 0 &&
		limit->regs <= 125 && limit->interval >= 0 && limit->seconds > 0 ? 0 : -1;
}

static void
run_for(struct limit *limit, int64_t time)
{
	if (limit->interval == 0)
		run_flat_out(limit, meter_mono() + time);
	else
		run_paced(limit, meter_mono() + time);
}

int
main(int argc, char **argv)
{
	struct limit limit = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct rlimit files;
	double before;

	if (limit.epoll == -1 || read_options(&limit, argc, argv) == -1) {
		fprintf(stderr, "usage: tcp_limit --base ADDRESS --port P --servers N --regs R "
			"--interval MS --seconds T [--tick 1]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	limit.servers = calloc(limit.count, sizeof *limit.servers);
	if (limit.servers == NULL || connect_all(&limit) == -1) {
		fprintf(stderr, "tcp_limit: %s\n", strerror(errno));
		return 2;
	}
	run_for(&limit, METER_SECOND);
	limit.exchanges = limit.missed = 0;
	before = meter_cpu();
	run_for(&limit, limit.seconds * METER_SECOND);
	printf("exchanges %llu\nexchanges_per_s %.0f\ncpu_s_per_100k %.3f\nmissed %llu\n",
		(unsigned long long)limit.exchanges,
		(double)limit.exchanges / (double)limit.seconds,
		limit.exchanges > 0 ? (meter_cpu() - before) * 1e5 / (double)limit.exchanges : 0,
		(unsigned long long)limit.missed);
	return limit.exchanges > 0 ? 0 : 1;
}
