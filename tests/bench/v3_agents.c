/* v3_agents - a fleet of SNMPv3 agents on one socket, for the bench of what a request costs.
 *
 *   v3_agents --base ADDRESS --agents N [--delay MS] [--jitter MS]
 *
 * Prints "ready ADDRESS:PORT". Each agent has its own address and engine ID; all have the user
 * "fleet", HMAC-SHA-96 with "fleet-auth-pass" and AES-128 with "fleet-priv-pass". Answers GET
 * and nothing else: sysUpTime with TimeTicks, each other object with a Counter64 that grows.
 * Who does not know the engine ID or its time is told so by a report (RFC 3414 section 3.2);
 * what has a wrong digest, or is not encrypted, is counted and dropped. Made on OpenSSL alone,
 * without pollwerk's or Net-SNMP's code, so that a mistake there is not repeated here. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MS 1000000LL
#define ENGINE 9   /* octets of an engine ID */
#define DIGEST 12
#define SALT 8
#define KEY 20     /* of SHA-1; AES takes the first 16 */
#define BOOTS 1
#define WINDOW 150 /* seconds, RFC 3414 section 2.2.3 */
#define SLOTS 128  /* ms for which an answer can be kept */
#define DATAGRAM 1472
#define VARBINDS 128

struct agent {
	uint8_t auth[KEY], priv[KEY];
	bool has_keys;
};

/* An answer on its way. */
struct late {
	struct late *next;
	struct sockaddr_in to;
	struct in_addr from;
	size_t size;
	uint8_t bytes[];
};

struct fleet {
	int fd;
	struct in_addr base;
	uint32_t count;
	int64_t delay, jitter; /* ms */
	struct agent *agents;
	uint8_t auth[KEY], priv[KEY]; /* of the pass phrases */
	EVP_CIPHER_CTX *cipher;
	int64_t began;
	uint64_t salt, answered, reported, refused;
	struct late *late[SLOTS], **ends[SLOTS];
	int64_t turned; /* ms up to which answers have left */
	size_t waiting;
};

struct span {
	const uint8_t *at, *end;
};

/* What a message says; spans point into it. */
struct message {
	uint32_t id, request_id;
	uint8_t flags;
	struct span engine, user, digest, salt, data; /* data: scoped PDU, perhaps encrypted */
	uint32_t boots, time;
	struct span oids[VARBINDS];
	size_t count;
	uint8_t pdu;
};

static volatile sig_atomic_t ending;

static int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 * MS + time.tv_nsec;
}

/* ---- keys, RFC 3414 section A.2 ---- */

static void
key_of(const char *phrase, uint8_t key[KEY])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	size_t length = strlen(phrase);
	char block[64];
	unsigned size;

	EVP_DigestInit_ex(hash, EVP_sha1(), NULL);
	for (size_t at = 0; at < 1048576; at += sizeof block) {
		for (size_t i = 0; i < sizeof block; i++)
			block[i] = phrase[(at + i) % length];
		EVP_DigestUpdate(hash, block, sizeof block);
	}
	EVP_DigestFinal_ex(hash, key, &size);
	EVP_MD_CTX_free(hash);
}

static void
key_at(const uint8_t key[KEY], const uint8_t engine[ENGINE], uint8_t local[KEY])
{
	uint8_t bytes[KEY + ENGINE + KEY];
	unsigned size;

	memcpy(bytes, key, KEY);
	memcpy(bytes + KEY, engine, ENGINE);
	memcpy(bytes + KEY + ENGINE, key, KEY);
	EVP_Digest(bytes, sizeof bytes, local, &size, EVP_sha1(), NULL);
}

static void
engine_of(uint32_t number, uint8_t engine[ENGINE])
{
	static const uint8_t head[] = { 0x80, 0, 0x1f, 0x88, 4 };

	memcpy(engine, head, sizeof head);
	for (int i = 0; i < 4; i++)
		engine[sizeof head + (size_t)i] = (uint8_t)(number >> (24 - 8 * i));
}

static void
make_keys(struct fleet *fleet, uint32_t number)
{
	struct agent *agent = &fleet->agents[number];
	uint8_t engine[ENGINE];

	if (agent->has_keys)
		return;
	engine_of(number, engine);
	key_at(fleet->auth, engine, agent->auth);
	key_at(fleet->priv, engine, agent->priv);
	agent->has_keys = true;
}

/* ---- reading ---- */

static bool
take(struct span *from, uint8_t tag, struct span *into)
{
	const uint8_t *p = from->at;
	size_t size;

	if (from->end - p < 2 || *p++ != tag)
		return false;
	size = *p++;
	if (size & 0x80) {
		size_t octets = size & 0x7f;

		if (octets > 2 || from->end - p < (ptrdiff_t)octets)
			return false;
		for (size = 0; octets > 0; octets--)
			size = size << 8 | *p++;
	}
	if ((size_t)(from->end - p) < size)
		return false;
	*into = (struct span){ p, p + size };
	from->at = into->end;
	return true;
}

static bool
take_number(struct span *from, uint32_t *number)
{
	struct span in;

	if (!take(from, 2, &in))
		return false;
	for (*number = 0; in.at < in.end; in.at++)
		*number = *number << 8 | *in.at;
	return true;
}

static bool
read_message(const uint8_t *bytes, size_t size, struct message *m)
{
	struct span all = { bytes, bytes + size }, message, header, flags, outer, usm;
	uint32_t version, most, model;

	if (!take(&all, 0x30, &message) || !take_number(&message, &version) || version != 3 ||
		!take(&message, 0x30, &header) || !take_number(&header, &m->id) ||
		!take_number(&header, &most) || !take(&header, 4, &flags) ||
		flags.end - flags.at != 1 || !take_number(&header, &model) || model != 3 ||
		!take(&message, 4, &outer) || !take(&outer, 0x30, &usm))
		return false;
	m->flags = *flags.at;
	m->data = message;
	return take(&usm, 4, &m->engine) && take_number(&usm, &m->boots) &&
		take_number(&usm, &m->time) && take(&usm, 4, &m->user) &&
		take(&usm, 4, &m->digest) && take(&usm, 4, &m->salt);
}

/* Takes request id and OIDs out of a plain scoped PDU. */
static bool
read_scoped(struct span scoped, struct message *m)
{
	struct span in, engine, context, pdu, list, varbind;
	uint32_t status, index;

	m->count = 0;
	if (!take(&scoped, 0x30, &in) || !take(&in, 4, &engine) || !take(&in, 4, &context) ||
		in.at == in.end)
		return false;
	m->pdu = *in.at;
	if (!take(&in, m->pdu, &pdu) || !take_number(&pdu, &m->request_id) ||
		!take_number(&pdu, &status) || !take_number(&pdu, &index) || !take(&pdu, 0x30, &list))
		return false;
	while (list.at < list.end && m->count < VARBINDS)
		if (!take(&list, 0x30, &varbind) || !take(&varbind, 6, &m->oids[m->count++]))
			return false;
	return true;
}

/* ---- writing, from the end to the front ---- */

struct pen {
	uint8_t *begin, *at; /* at NULL: it did not fit */
};

static void
put(struct pen *pen, const void *bytes, size_t size)
{
	if (pen->at == NULL || (size_t)(pen->at - pen->begin) < size) {
		pen->at = NULL;
		return;
	}
	pen->at -= size;
	memcpy(pen->at, bytes, size);
}

static void
put_head(struct pen *pen, const uint8_t *end, uint8_t tag)
{
	size_t size = pen->at == NULL ? 0 : (size_t)(end - pen->at);
	uint8_t head[] = { tag, 0x82, (uint8_t)(size >> 8), (uint8_t)size };

	if (size < 128)
		put(pen, (uint8_t[]){ tag, (uint8_t)size }, 2);
	else
		put(pen, head, sizeof head);
}

static void
put_octets(struct pen *pen, const void *bytes, size_t size)
{
	const uint8_t *end = pen->at;

	put(pen, bytes, size);
	put_head(pen, end, 4);
}

static void
put_number(struct pen *pen, uint8_t tag, uint64_t number)
{
	const uint8_t *end = pen->at;
	uint8_t octet;

	do {
		octet = (uint8_t)number;
		put(pen, &octet, 1);
		number >>= 8;
	} while (number > 0 || octet & 0x80);
	put_head(pen, end, tag);
}

static void
put_scoped(struct pen *pen, const uint8_t *end, uint8_t pdu, uint32_t request_id,
	const uint8_t engine[ENGINE])
{
	put_head(pen, end, 0x30);
	put_number(pen, 2, 0);
	put_number(pen, 2, 0);
	put_number(pen, 2, request_id);
	put_head(pen, end, pdu);
	put_octets(pen, "", 0);
	put_octets(pen, engine, ENGINE);
	put_head(pen, end, 0x30);
}

static uint32_t
engine_time(const struct fleet *fleet)
{
	return (uint32_t)((now() - fleet->began) / (1000 * MS)) + 1;
}

/* Everything before the data, and the digest. Returns the size, 0 when it did not fit. */
static size_t
put_message(struct fleet *fleet, struct pen *pen, const uint8_t *end, uint32_t number,
	const struct message *m, uint8_t flags, uint32_t time, uint64_t salt)
{
	static const uint8_t blank[DIGEST];
	struct agent *agent = &fleet->agents[number];
	uint8_t engine[ENGINE], digest[EVP_MAX_MD_SIZE], *place;
	const uint8_t *usm = pen->at;
	unsigned size;

	engine_of(number, engine);
	put_octets(pen, &salt, flags & 2 ? SALT : 0);
	place = pen->at;
	put_octets(pen, blank, flags & 1 ? DIGEST : 0);
	put_octets(pen, m->user.at, flags & 1 ? (size_t)(m->user.end - m->user.at) : 0);
	put_number(pen, 2, time);
	put_number(pen, 2, BOOTS);
	put_octets(pen, engine, ENGINE);
	put_head(pen, usm, 0x30);
	put_head(pen, usm, 4);
	usm = pen->at;
	put_number(pen, 2, 3);
	put_octets(pen, &flags, 1);
	put_number(pen, 2, 65507);
	put_number(pen, 2, m->id);
	put_head(pen, usm, 0x30);
	put_number(pen, 2, 3);
	put_head(pen, end, 0x30);
	if (pen->at == NULL)
		return 0;
	if (flags & 1) {
		HMAC(EVP_sha1(), agent->auth, KEY, pen->at, (size_t)(end - pen->at), digest, &size);
		memcpy(place - DIGEST, digest, DIGEST);
	}
	return (size_t)(end - pen->at);
}

/* RFC 3826 section 3.1.2.1 */
static void
crypt_data(struct fleet *fleet, uint32_t number, bool encrypt, uint32_t boots, uint32_t time,
	const void *salt, const uint8_t *from, size_t size, uint8_t *to)
{
	uint32_t words[2] = { htonl(boots), htonl(time) };
	uint8_t vector[16];
	int length;

	memcpy(vector, words, 8);
	memcpy(vector + 8, salt, 8);
	EVP_CipherInit_ex(fleet->cipher, EVP_aes_128_cfb128(), NULL, fleet->agents[number].priv,
		vector, encrypt);
	EVP_CipherUpdate(fleet->cipher, to, &length, from, (int)size);
}

/* ---- answers ---- */

/* usmStats of RFC 3414 section 5: 2 notInTimeWindows, 4 unknownEngineIDs */
static size_t
write_report(struct fleet *fleet, uint32_t number, const struct message *m, uint8_t which,
	struct pen *pen)
{
	const uint8_t *end = pen->at;
	uint8_t oid[] = { 0x2b, 6, 1, 6, 3, 15, 1, 1, which, 0 }, engine[ENGINE];

	engine_of(number, engine);
	put_number(pen, 0x41, 1);
	put(pen, oid, sizeof oid);
	put(pen, (uint8_t[]){ 6, sizeof oid }, 2);
	put_head(pen, end, 0x30);
	put_scoped(pen, end, 0xa8, m->request_id, engine);
	fleet->reported++;
	return put_message(fleet, pen, end, number, m, which == 2, engine_time(fleet), 0);
}

static size_t
write_response(struct fleet *fleet, uint32_t number, const struct message *m, struct pen *pen)
{
	static const uint8_t uptime[] = { 0x2b, 6, 1, 2, 1, 1, 3, 0 };
	const uint8_t *end = pen->at;
	uint64_t age = (uint64_t)(now() - fleet->began) / MS, salt = ++fleet->salt;
	uint32_t time = engine_time(fleet);
	uint8_t engine[ENGINE];

	engine_of(number, engine);
	for (size_t i = m->count; i > 0; i--) {
		const struct span *oid = &m->oids[i - 1];
		size_t size = (size_t)(oid->end - oid->at);
		const uint8_t *here = pen->at;
		bool is_uptime = size == sizeof uptime && memcmp(oid->at, uptime, size) == 0;

		put_number(pen, is_uptime ? 0x43 : 0x46,
			is_uptime ? age / 10 : (UINT64_C(1) << 40) + age * i);
		put(pen, oid->at, size);
		put(pen, (uint8_t[]){ 6, (uint8_t)size }, 2);
		put_head(pen, here, 0x30);
	}
	put_scoped(pen, end, 0xa2, m->request_id, engine);
	if (pen->at == NULL)
		return 0;
	crypt_data(fleet, number, true, BOOTS, time, &salt, pen->at, (size_t)(end - pen->at), pen->at);
	put_head(pen, end, 4);
	fleet->answered++;
	return put_message(fleet, pen, end, number, m, 3, time, salt);
}

/* With the digest blanked out in place. */
static bool
is_authentic(struct fleet *fleet, uint32_t number, uint8_t *bytes, size_t size,
	const struct message *m)
{
	uint8_t was[DIGEST], digest[EVP_MAX_MD_SIZE], *place = bytes + (m->digest.at - bytes);
	unsigned length;

	if (m->digest.end - m->digest.at != DIGEST)
		return false;
	memcpy(was, place, DIGEST);
	memset(place, 0, DIGEST);
	HMAC(EVP_sha1(), fleet->agents[number].auth, KEY, bytes, size, digest, &length);
	return memcmp(was, digest, DIGEST) == 0;
}

/* Returns the size of the answer that ends where pen stood, 0 for none. */
static size_t
answer(struct fleet *fleet, uint32_t number, uint8_t *bytes, size_t size, struct pen *pen)
{
	static uint8_t plain[DATAGRAM];
	struct message m = { .id = 0 };
	uint8_t engine[ENGINE];
	struct span data;
	uint32_t time = engine_time(fleet);

	if (!read_message(bytes, size, &m))
		goto refused;
	make_keys(fleet, number);
	engine_of(number, engine);
	if (m.engine.end - m.engine.at != ENGINE || memcmp(m.engine.at, engine, ENGINE) != 0) {
		if (!(m.flags & 2))
			read_scoped(m.data, &m);
		return write_report(fleet, number, &m, 4, pen);
	}
	if ((m.flags & 3) != 3 || !is_authentic(fleet, number, bytes, size, &m))
		goto refused;
	if (m.boots != BOOTS || m.time > time + WINDOW || m.time + WINDOW < time)
		return write_report(fleet, number, &m, 2, pen);
	if (m.salt.end - m.salt.at != SALT || !take(&m.data, 4, &data))
		goto refused;
	crypt_data(fleet, number, false, m.boots, m.time, m.salt.at, data.at,
		(size_t)(data.end - data.at), plain);
	if (!read_scoped((struct span){ plain, plain + (data.end - data.at) }, &m) || m.pdu != 0xa0)
		goto refused;
	return write_response(fleet, number, &m, pen);
refused:
	fleet->refused++;
	return 0;
}

/* ---- the socket ---- */

static void
send_from(struct fleet *fleet, const struct sockaddr_in *to, struct in_addr from,
	const uint8_t *bytes, size_t size)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct sockaddr_in copy = *to;
	struct iovec part = { (void *)(uintptr_t)bytes, size };
	struct msghdr message = { .msg_name = &copy, .msg_namelen = sizeof copy, .msg_iov = &part,
		.msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	struct in_pktinfo info = { .ipi_spec_dst = from };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = IPPROTO_IP;
	head->cmsg_type = IP_PKTINFO;
	head->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(head), &info, sizeof info);
	sendmsg(fleet->fd, &message, 0);
}

static void
send_later(struct fleet *fleet, const struct sockaddr_in *to, struct in_addr from,
	const uint8_t *bytes, size_t size)
{
	int64_t at = now() / MS + 1 + fleet->delay +
		(fleet->jitter > 0 ? random() % (fleet->jitter + 1) : 0);
	struct late *late = malloc(sizeof *late + size);

	if (late == NULL)
		exit(2);
	late->next = NULL;
	late->to = *to;
	late->from = from;
	late->size = size;
	memcpy(late->bytes, bytes, size);
	*fleet->ends[at % SLOTS] = late;
	fleet->ends[at % SLOTS] = &late->next;
	fleet->waiting++;
}

static void
send_due(struct fleet *fleet)
{
	for (int64_t last = now() / MS; fleet->turned < last; fleet->turned++) {
		size_t slot = (size_t)((fleet->turned + 1) % SLOTS);
		struct late *late = fleet->late[slot], *next;

		fleet->late[slot] = NULL;
		fleet->ends[slot] = &fleet->late[slot];
		for (; late != NULL; late = next, fleet->waiting--) {
			next = late->next;
			send_from(fleet, &late->to, late->from, late->bytes, late->size);
			free(late);
		}
	}
}

static bool
serve_one(struct fleet *fleet)
{
	static uint8_t bytes[65536], room[DATAGRAM];
	struct pen pen = { room, room + sizeof room };
	struct sockaddr_in from;
	char control[256];
	struct iovec part = { bytes, sizeof bytes };
	struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part,
		.msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t size = recvmsg(fleet->fd, &message, MSG_DONTWAIT);
	struct in_addr at = fleet->base;
	uint32_t number;
	size_t length;

	if (size < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			at = info.ipi_addr;
		}
	number = ntohl(at.s_addr) - ntohl(fleet->base.s_addr);
	if (number >= fleet->count)
		return true;
	length = answer(fleet, number, bytes, (size_t)size, &pen);
	if (length > 0 && fleet->delay + fleet->jitter > 0)
		send_later(fleet, &from, at, pen.at, length);
	else if (length > 0)
		send_from(fleet, &from, at, pen.at, length);
	return true;
}

static int
open_socket(struct fleet *fleet)
{
	struct sockaddr_in bound = { .sin_family = AF_INET };
	socklen_t length = sizeof bound;
	char text[INET_ADDRSTRLEN];
	int on = 1, room = 8 << 20;

	fleet->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fleet->fd == -1 || bind(fleet->fd, (struct sockaddr *)&bound, sizeof bound) == -1)
		return -1;
	setsockopt(fleet->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	if (setsockopt(fleet->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == -1)
		setsockopt(fleet->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	getsockname(fleet->fd, (struct sockaddr *)&bound, &length);
	inet_ntop(AF_INET, &fleet->base, text, sizeof text);
	printf("ready %s:%u\n", text, ntohs(bound.sin_port));
	fflush(stdout);
	return 0;
}

static void
end(int number)
{
	(void)number;
	ending = 1;
}

static int
read_options(struct fleet *fleet, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];

		if (strcmp(argv[i], "--base") == 0)
			inet_pton(AF_INET, value, &fleet->base);
		else if (strcmp(argv[i], "--agents") == 0)
			fleet->count = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--delay") == 0)
			fleet->delay = atoi(value);
		else if (strcmp(argv[i], "--jitter") == 0)
			fleet->jitter = atoi(value);
		else
			return -1;
	}
	return fleet->base.s_addr != 0 && fleet->count > 0 && fleet->delay >= 0 &&
		fleet->jitter >= 0 && fleet->delay + fleet->jitter < SLOTS - 2 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct fleet fleet = { .fd = -1 };

	if (read_options(&fleet, argc, argv) == -1) {
		fprintf(stderr, "usage: v3_agents --base ADDRESS --agents N [--delay MS] [--jitter MS]\n");
		return 2;
	}
	signal(SIGTERM, end);
	signal(SIGINT, end);
	fleet.agents = calloc(fleet.count, sizeof *fleet.agents);
	fleet.cipher = EVP_CIPHER_CTX_new();
	key_of("fleet-auth-pass", fleet.auth);
	key_of("fleet-priv-pass", fleet.priv);
	for (size_t i = 0; i < SLOTS; i++)
		fleet.ends[i] = &fleet.late[i];
	fleet.began = now();
	fleet.turned = fleet.began / MS;
	if (fleet.agents == NULL || fleet.cipher == NULL || open_socket(&fleet) == -1) {
		perror("v3_agents");
		return 2;
	}
	while (!ending) {
		struct pollfd watched = { .fd = fleet.fd, .events = POLLIN };

		poll(&watched, 1, fleet.waiting > 0 ? 1 : 100);
		while (serve_one(&fleet))
			continue;
		send_due(&fleet);
	}
	printf("answered %llu\nreported %llu\nrefused %llu\n", (unsigned long long)fleet.answered,
		(unsigned long long)fleet.reported, (unsigned long long)fleet.refused);
	EVP_CIPHER_CTX_free(fleet.cipher);
	free(fleet.agents);
	return 0;
}
