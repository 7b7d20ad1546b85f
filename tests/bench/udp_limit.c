/* udp_limit - what the same values cost on bare sockets: the base line of tests/bench/run.
 *
 *   udp_limit --base ADDRESS --port P --agents N --ifs M --interval MS --seconds T [--tick MS]
 *
 * Asks each of N agents for ten counters of M interfaces by GETBULK, 60 values to a request,
 * once in each interval, the agents spread evenly over it; the next request of an agent goes
 * out when the answer to the former is in. Interval 0: flat out, every agent is asked anew as
 * soon as it has answered all. Sends and receives as the poller does: up to 64 datagrams a
 * call, never in fragments, and, at a pace, once in each tick of 10 ms while an answer is due
 * (--tick; 0: as soon as there is something).
 * Finds request id and number of varbinds in each answer and does nothing else with it: no
 * check of source, names and types, no slots, no files. Times out never: what does not answer is not counted. Prints
 *   values N / requests N / cpu_us_per_value X / values_per_s X */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "meter.h"

#define COLUMNS 10
#define ROWS_A_REQUEST 6
#define AGENTS 65536
#define BATCH 64
#define REQUEST_ROOM 512
#define ANSWER_ROOM 4096

struct agent {
	struct sockaddr_in address;
	uint32_t next_row; /* the rows before it are in */
	uint16_t round;
};

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	unsigned count;
};

struct limit {
	int fd;
	struct agent *agents;
	uint32_t count, ifs;
	int64_t interval, seconds, tick;
	struct batch out, in;
	uint8_t requests_room[BATCH][REQUEST_ROOM], answers_room[BATCH][ANSWER_ROOM];
	struct sockaddr_in base;
	uint64_t values, requests, answers;
};

static const uint8_t columns[COLUMNS][10] = {
	{ 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 6 }, { 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 7 },
	{ 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 8 }, { 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 9 },
	{ 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 10 }, { 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 11 },
	{ 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 12 }, { 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 13 },
	{ 0x2b, 6, 1, 2, 1, 2, 2, 1, 14 }, { 0x2b, 6, 1, 2, 1, 2, 2, 1, 20 },
};

/* ---- BER (X.690), written from the end of a buffer to its front ---- */

static uint8_t *
put_head(uint8_t *at, const uint8_t *end, uint8_t tag)
{
	size_t size = (size_t)(end - at);

	*--at = (uint8_t)size;
	if (size > 255) {
		*at = (uint8_t)size;
		*--at = (uint8_t)(size >> 8);
		*--at = 0x82;
	} else if (size > 127) {
		*--at = 0x81;
	}
	*--at = tag;
	return at;
}

static uint8_t *
put_number(uint8_t *at, uint32_t number, int octets)
{
	const uint8_t *end = at;

	for (int i = 0; i < octets; i++, number >>= 8)
		*--at = (uint8_t)number;
	return put_head(at, end, 2);
}

/* { column.row, NULL }; row 0: the column itself */
static uint8_t *
put_varbind(uint8_t *at, int column, uint32_t row)
{
	const uint8_t *end = at, *name_end;
	size_t size = column < 8 ? 10 : 9;

	*--at = 0;
	*--at = 5;
	name_end = at;
	if (row > 0) {
		*--at = row & 0x7f;
		while ((row >>= 7) > 0)
			*--at = (uint8_t)(0x80 | (row & 0x7f));
	}
	at -= size;
	memcpy(at, columns[column], size);
	at = put_head(at, name_end, 6);
	return put_head(at, end, 0x30);
}

/* RFC 3416 GetBulkRequest in an RFC 1901 message, community "public". */
static size_t
write_request(uint8_t *buffer, size_t room, uint32_t id, uint32_t row, uint32_t rows)
{
	const uint8_t *end = buffer + room;
	uint8_t *at = buffer + room;

	for (int i = COLUMNS - 1; i >= 0; i--)
		at = put_varbind(at, i, row);
	at = put_head(at, end, 0x30);
	at = put_number(at, rows, 1);
	at = put_number(at, 0, 1);
	at = put_number(at, id, 4);
	at = put_head(at, end, 0xa5);
	at -= 6;
	memcpy(at, "public", 6);
	at = put_head(at, at + 6, 4);
	at = put_number(at, 1, 1);
	at = put_head(at, end, 0x30);
	memmove(buffer, at, (size_t)(end - at));
	return (size_t)(end - at);
}

/* Enters (or with skip passes) the next element. False at the end or for nonsense. */
static bool
next_element(const uint8_t **at, const uint8_t *end, const uint8_t **content, size_t *size)
{
	const uint8_t *p = *at;
	size_t octets;

	if (end - p < 2)
		return false;
	*size = p[1];
	p += 2;
	if (*size > 127) {
		octets = *size & 0x7f;
		for (*size = 0; octets > 0 && p < end; octets--)
			*size = *size << 8 | *p++;
	}
	if (*size > (size_t)(end - p))
		return false;
	*content = p;
	*at = p + *size;
	return true;
}

/* Returns the number of varbinds, -1 for what is no answer. */
static int
read_answer(const uint8_t *at, size_t size, uint32_t *id)
{
	const uint8_t *end = at + size, *in;
	int varbinds = 0;

	if (!next_element(&at, end, &in, &size)) /* message */
		return -1;
	at = in;
	if (!next_element(&at, end, &in, &size) || !next_element(&at, end, &in, &size) ||
		at >= end || *at != 0xa2 || !next_element(&at, end, &in, &size))
		return -1;
	at = in;
	if (!next_element(&at, end, &in, &size))
		return -1;
	for (*id = 0; size > 0; size--)
		*id = *id << 8 | *in++;
	if (!next_element(&at, end, &in, &size) || !next_element(&at, end, &in, &size) ||
		!next_element(&at, end, &in, &size))
		return -1;
	for (at = in; next_element(&at, end, &in, &size);)
		varbinds++;
	return varbinds;
}

/* ---- asking ---- */

static void
init_batches(struct limit *limit)
{
	for (int i = 0; i < BATCH; i++) {
		limit->out.parts[i].iov_base = limit->requests_room[i];
		limit->out.messages[i].msg_hdr.msg_iov = &limit->out.parts[i];
		limit->out.messages[i].msg_hdr.msg_iovlen = 1;
		limit->in.parts[i] = (struct iovec){ limit->answers_room[i], ANSWER_ROOM };
		limit->in.messages[i].msg_hdr.msg_iov = &limit->in.parts[i];
		limit->in.messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static void
send_all(struct limit *limit)
{
	struct batch *out = &limit->out;
	unsigned at = 0;

	while (at < out->count) {
		int sent = sendmmsg(limit->fd, out->messages + at, out->count - at, 0);

		if (sent > 0)
			limit->requests += (unsigned)sent;
		at += sent > 0 ? (unsigned)sent : 1;
	}
	out->count = 0;
}

static void
ask(struct limit *limit, uint32_t number)
{
	struct agent *agent = &limit->agents[number];
	uint32_t rows = limit->ifs - agent->next_row;
	struct batch *out = &limit->out;

	if (rows > ROWS_A_REQUEST)
		rows = ROWS_A_REQUEST;
	if (out->count == BATCH)
		send_all(limit);
	out->parts[out->count].iov_len = write_request(limit->requests_room[out->count], REQUEST_ROOM,
		(uint32_t)(agent->round & 0x7fff) << 16 | number, agent->next_row, rows);
	out->messages[out->count].msg_hdr.msg_name = &agent->address;
	out->messages[out->count].msg_hdr.msg_namelen = sizeof agent->address;
	out->count++;
}

static void
take_answer(struct limit *limit, const uint8_t *answer, size_t size)
{
	uint32_t id;
	int varbinds = read_answer(answer, size, &id);
	struct agent *agent;

	if (varbinds <= 0 || (id & 0xffff) >= limit->count)
		return;
	agent = &limit->agents[id & 0xffff];
	if (id >> 16 != (agent->round & 0x7fffu))
		return;
	limit->answers++;
	limit->values += (uint64_t)varbinds;
	agent->next_row += (uint32_t)varbinds / COLUMNS;
	if (agent->next_row >= limit->ifs && limit->interval == 0) {
		agent->next_row = 0;
		agent->round++;
	}
	if (agent->next_row < limit->ifs)
		ask(limit, id & 0xffff);
}

static void
receive(struct limit *limit)
{
	int count;

	do {
		count = recvmmsg(limit->fd, limit->in.messages, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < count; i++)
			take_answer(limit, limit->answers_room[i], limit->in.messages[i].msg_len);
		send_all(limit);
	} while (count == BATCH);
}

/* Until one is due or an answer is there; with ticks until the next one, if any answer is owed. */
static void
await(struct limit *limit, int64_t start, int64_t due)
{
	struct pollfd watched = { .fd = limit->fd, .events = POLLIN };
	int64_t now = meter_mono(), left = due - now;

	if (limit->tick > 0 && limit->answers < limit->requests)
		left = limit->tick - (now - start) % limit->tick;
	if (left > 0)
		ppoll(&watched, limit->tick > 0 ? 0 : 1,
			&(struct timespec){ left / METER_SECOND, left % METER_SECOND }, NULL);
	receive(limit);
}

/* Agent number N of each round is due at N / agents of the interval. */
static void
run(struct limit *limit)
{
	int64_t start = meter_mono(), end = start + limit->seconds * METER_SECOND, due = start;
	struct pollfd watched = { .fd = limit->fd, .events = POLLIN };
	uint64_t turn = 0;

	while (due < end) {
		await(limit, start, due);
		for (; due <= meter_mono() && due < end; turn++) {
			struct agent *agent = &limit->agents[turn % limit->count];

			agent->next_row = 0;
			agent->round++;
			ask(limit, (uint32_t)(turn % limit->count));
			due = start + (int64_t)(turn + 1) * limit->interval / limit->count;
		}
		send_all(limit);
	}
	while (poll(&watched, 1, 200) > 0)
		receive(limit);
}

/* All at once, always. When all is quiet some datagrams were lost: everybody is asked again. */
static void
run_flat_out(struct limit *limit)
{
	int64_t end = meter_mono() + limit->seconds * METER_SECOND;
	struct pollfd watched = { .fd = limit->fd, .events = POLLIN };

	while (meter_mono() < end) {
		for (uint32_t i = 0; i < limit->count; i++)
			ask(limit, i);
		send_all(limit);
		while (meter_mono() < end && poll(&watched, 1, 100) > 0)
			receive(limit);
	}
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
		else if (strcmp(argv[i], "--agents") == 0)
			limit->count = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--ifs") == 0)
			limit->ifs = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--interval") == 0)
			limit->interval = atoll(value) * 1000000;
		else if (strcmp(argv[i], "--seconds") == 0)
			limit->seconds = atoll(value);
		else if (strcmp(argv[i], "--tick") == 0)
			limit->tick = atoll(value) * 1000000;
		else
			return -1;
	}
	return limit->base.sin_port != 0 && limit->count > 0 && limit->count < AGENTS &&
		limit->ifs > 0 && limit->interval >= 0 && limit->seconds > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	static struct limit limit = { .tick = 10000000 };

	limit.fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (limit.fd == -1 || read_options(&limit, argc, argv) == -1) {
		fprintf(stderr, "usage: udp_limit --base ADDRESS --port P --agents N --ifs M "
			"--interval MS --seconds T [--tick MS]\n");
		return 2;
	}
	limit.agents = calloc(limit.count, sizeof *limit.agents);
	if (limit.agents == NULL)
		return 2;
	for (uint32_t i = 0; i < limit.count; i++) {
		limit.agents[i].address = limit.base;
		limit.agents[i].address.sin_addr.s_addr =
			htonl(ntohl(limit.base.sin_addr.s_addr) + i);
	}
	init_batches(&limit);
	/* As the poller's; refused without rights, then it is as large as the system allows. */
	setsockopt(limit.fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 8 << 20 }, sizeof(int));
	setsockopt(limit.fd, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_DO }, sizeof(int));
	if (limit.interval == 0)
		run_flat_out(&limit);
	else
		run(&limit);
	printf("values %llu\nrequests %llu\ncpu_us_per_value %.3f\nvalues_per_s %.0f\n",
		(unsigned long long)limit.values, (unsigned long long)limit.requests,
		limit.values > 0 ? meter_cpu() * 1e6 / (double)limit.values : 0,
		(double)limit.values / (double)limit.seconds);
	free(limit.agents);
	return limit.values > 0 ? 0 : 1;
}
