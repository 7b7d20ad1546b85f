/* libmodbus_server.c - an honest Modbus TCP server on libmodbus, with known registers.
 *
 * libmodbus_server [--listen ADDRESS:PORT] [--refuse UNIT] [--silent UNIT] [--log FILE]
 * libmodbus_server --rtu TTY [--baud N] [--unit N] [--log FILE]
 * libmodbus_server --list | --floats
 *
 * --list prints what it serves, one value a line: name, function, PDU address, type, order
 * ("-": none), bit or length in registers, value ("exception-2" where nothing is). The
 * values are laid out here by letters, so nothing of this is shared with what reads them;
 * --floats ends with 0 when libmodbus' own getters agree about the 32-bit floats. Unit --refuse answers exception 2 to
 * everything, unit --silent nothing, all others the same values. With --rtu it is one unit of a
 * serial bus (--unit, 1), at --baud (19200), 8E1.
 *
 * Prints "ready ADDRESS:PORT" and serves until SIGTERM. --log: one line "unit function
 * address count" per request. Ends with 3 when it saw a function that is not 1 to 4. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <modbus.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 100, REGISTERS = 400, BITS = 64, HOLE = 90, CONNECTIONS = 64 };

struct value {
	const char *type, *order;
	unsigned words;
	uint64_t bits;    /* as a two's complement or IEEE number of that width */
	const char *text; /* what a reader must see */
};

#define EACH_4(type, bits, text) { type, "ABCD", 2, bits, text }, { type, "CDAB", 2, bits, text }, \
	{ type, "BADC", 2, bits, text }, { type, "DCBA", 2, bits, text }
#define EACH_8(type, bits, text) { type, "ABCDEFGH", 4, bits, text }, \
	{ type, "GHEFCDAB", 4, bits, text }, { type, "BADCFEHG", 4, bits, text }, \
	{ type, "HGFEDCBA", 4, bits, text }, { type, "CDABGHEF", 4, bits, text }, \
	{ type, "EFGHABCD", 4, bits, text }, { type, "DCBAHGFE", 4, bits, text }, \
	{ type, "FEHGBADC", 4, bits, text }

static const struct value values[] = {
	{ "s16", "AB", 1, 0xFB2E, "-1234" }, { "s16", "BA", 1, 0xFB2E, "-1234" },
	{ "u16", "AB", 1, 0xFDE8, "65000" }, { "u16", "BA", 1, 0xFDE8, "65000" },
	EACH_4("s32", 0xF8A432EB, "-123456789"),
	EACH_4("u32", 0xEE6B2800, "4000000000"),
	EACH_4("f32", 0x47F12060, "123456.75"),
	EACH_8("s64", UINT64_C(0xFFFFFEE08E04FB35), "-1234567890123"),
	EACH_8("u64", UINT64_C(0x0020000000000000), "9007199254740992"),
	EACH_8("f64", UINT64_C(0xC1D26580B487E6B7), "-1234567890.1234567"),
};

static const char words[] = "Pollwerk-3, Halle 7 "; /* padded with a blank, then NUL */

static modbus_mapping_t *mapping;
static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* The order names the bytes as they stand on the wire, A being the highest. */
static void
put_by_letters(uint16_t *to, const struct value *value)
{
	uint8_t wire[8];

	for (unsigned i = 0; i < 2 * value->words; i++) {
		unsigned place = 2 * value->words - 1 - (unsigned)(value->order[i] - 'A');

		wire[i] = (uint8_t)(value->bits >> (8 * place));
	}
	for (unsigned i = 0; i < value->words; i++)
		to[i] = (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
}

/* Lays everything out, and tells about it when list is set. */
static void
lay_out(bool list)
{
	uint16_t *holding = mapping->tab_registers;
	unsigned at = FIRST;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct value *value = &values[i];

		put_by_letters(holding + at, value);
		if (list)
			printf("%s_%s\t3\t%u\t%s\t%s\t-\t%s\n", value->type, value->order, at,
				value->type, value->order, value->text);
		at += value->words;
	}
	for (int swapped = 0; swapped < 2; swapped++, at += 12) {
		for (unsigned i = 0; i < sizeof(words); i += 2) {
			uint8_t a = (uint8_t)words[i], b = (uint8_t)words[i + 1 < sizeof(words) ? i + 1 : i];

			holding[at + i / 2] = (uint16_t)(swapped ? b << 8 | a : a << 8 | b);
		}
		if (list)
			printf("string_%s\t3\t%u\tstring\t%s\t12\t%s\n", swapped ? "BA" : "AB", at,
				swapped ? "BA" : "AB", "Pollwerk-3, Halle 7");
	}
	holding[at] = 0xA5C3;
	for (unsigned bit = 0; list && bit < 16; bit++)
		printf("bit_%u\t3\t%u\tbit\t-\t%u\t%u\n", bit, at, bit, 0xA5C3u >> bit & 1);
	for (unsigned i = HOLE - 2; i <= HOLE + 2; i++) {
		holding[i] = (uint16_t)(1000 + i);
		if (list && i != HOLE)
			printf("hole_%u\t3\t%u\tu16\t-\t-\t%u\n", i, i, 1000 + i);
		else if (list)
			printf("hole_%u\t3\t%u\tu16\t-\t-\texception-2\n", i, i);
	}
	for (unsigned i = 0; i < 8; i++) {
		mapping->tab_input_registers[i] = (uint16_t)(0x8000 + 321 * i);
		if (list)
			printf("input_%u\t4\t%u\tu16\t-\t-\t%u\n", i, i, 0x8000 + 321 * i);
	}
	for (unsigned i = 0; i < BITS; i++) {
		mapping->tab_bits[i] = i % 3 == 0;
		mapping->tab_input_bits[i] = i % 5 != 0;
		if (list && i < 20)
			printf("coil_%u\t1\t%u\tbit\t-\t-\t%d\ncontact_%u\t2\t%u\tbit\t-\t-\t%d\n",
				i, i, i % 3 == 0, i, i, i % 5 != 0);
	}
}

/* Does libmodbus read the floats as they are meant? Its setters do not: in 3.1.6
 * modbus_set_float_abcd writes what modbus_get_float_badc reads. */
static int
check_floats(void)
{
	const uint16_t *at = mapping->tab_registers + FIRST + 20;
	float wanted = 123456.75f;

	return modbus_get_float_abcd(at) == wanted && modbus_get_float_cdab(at + 2) == wanted &&
			modbus_get_float_badc(at + 4) == wanted &&
			modbus_get_float_dcba(at + 6) == wanted ? 0 : 1;
}

struct server {
	const char *tty;
	int baud, unit;
	unsigned long served;
	modbus_t *modbus;
	struct pollfd fds[1 + CONNECTIONS];
	int refuse, silent;
	FILE *log;
	bool forbidden;
};

/* One request of the connection that modbus is set to; false when the client has gone. */
static bool
serve(struct server *server)
{
	uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
	int size = modbus_receive(server->modbus, request);
	const uint8_t *pdu = request + modbus_get_header_length(server->modbus);
	int unit = pdu[-1], function = pdu[0];
	int address = pdu[1] << 8 | pdu[2], count = pdu[3] << 8 | pdu[4];

	if (size <= 0)
		return size == 0;
	server->served++;
	if (server->log != NULL)
		fprintf(server->log, "%d %d %d %d\n", unit, function, address, count);
	if (function < 1 || function > 4)
		server->forbidden = true;
	if (unit == server->silent)
		return true;
	if (unit == server->refuse ||
		(function == 3 && address <= HOLE && address + count > HOLE))
		return modbus_reply_exception(server->modbus, request,
			MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS) >= 0;
	return modbus_reply(server->modbus, request, size, mapping) >= 0;
}

static void
accept_one(struct server *server)
{
	int fd = accept(server->fds[0].fd, NULL, NULL), one = 1;

	for (int i = 1; fd >= 0 && i <= CONNECTIONS; i++) {
		if (server->fds[i].fd >= 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		server->fds[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void
run(struct server *server)
{
	while (!stop) {
		if (poll(server->fds, 1 + CONNECTIONS, 200) <= 0)
			continue;
		if (server->fds[0].revents != 0)
			accept_one(server);
		for (int i = 1; i <= CONNECTIONS; i++) {
			if (server->fds[i].fd < 0 || server->fds[i].revents == 0)
				continue;
			modbus_set_socket(server->modbus, server->fds[i].fd);
			if (!serve(server)) {
				close(server->fds[i].fd);
				server->fds[i].fd = -1;
			}
		}
	}
}

static int
open_tty(struct server *server)
{
	server->modbus = modbus_new_rtu(server->tty, server->baud, 'E', 8, 1);
	return server->modbus == NULL || modbus_set_slave(server->modbus, server->unit) == -1 ||
		modbus_connect(server->modbus) == -1 ? -1 : 0;
}

static int
run_rtu(struct server *server)
{
	if (open_tty(server) == -1)
		return -1;
	printf("ready %s\n", server->tty);
	fflush(stdout);
	while (!stop) {
		struct pollfd fd = { .fd = modbus_get_socket(server->modbus), .events = POLLIN };
		unsigned long before = server->served;

		if (poll(&fd, 1, 200) <= 0)
			continue;
		if (!serve(server))
			modbus_flush(server->modbus);
		/* After a question to another unit libmodbus takes the next frame for that
		 * unit's answer, and so loses a question when there is none: begin anew. */
		if (server->served == before) {
			modbus_close(server->modbus);
			modbus_free(server->modbus);
			if (open_tty(server) == -1)
				return -1;
		}
	}
	modbus_close(server->modbus);
	return 0;
}

static int
listen_at(struct server *server, const char *where)
{
	struct sockaddr_in at;
	socklen_t size = sizeof(at);
	char address[64], *colon;
	int fd;

	snprintf(address, sizeof(address), "%s", where);
	colon = strrchr(address, ':');
	if (colon == NULL)
		return -1;
	*colon = '\0';
	server->modbus = modbus_new_tcp(address, atoi(colon + 1));
	fd = server->modbus == NULL ? -1 : modbus_tcp_listen(server->modbus, 16);
	if (fd == -1 || getsockname(fd, (struct sockaddr *)&at, &size) == -1)
		return -1;
	printf("ready %s:%d\n", address, ntohs(at.sin_port));
	fflush(stdout);
	for (int i = 1; i <= CONNECTIONS; i++)
		server->fds[i].fd = -1;
	server->fds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	return 0;
}

int
main(int argc, char **argv)
{
	struct server server = { .refuse = -1, .silent = -1, .baud = 19200, .unit = 1 };
	const char *where = "127.0.0.1:0";
	bool list = argc == 2 && strcmp(argv[1], "--list") == 0;

	mapping = modbus_mapping_new(BITS, BITS, REGISTERS, 16);
	if (mapping == NULL)
		return 2;
	lay_out(list);
	if (list)
		return 0;
	if (argc == 2 && strcmp(argv[1], "--floats") == 0)
		return check_floats();
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--listen") == 0)
			where = argv[i + 1];
		else if (strcmp(argv[i], "--refuse") == 0)
			server.refuse = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--silent") == 0)
			server.silent = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--rtu") == 0)
			server.tty = argv[i + 1];
		else if (strcmp(argv[i], "--baud") == 0)
			server.baud = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--unit") == 0)
			server.unit = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--log") == 0)
			server.log = fopen(argv[i + 1], "w");
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if ((server.tty != NULL ? run_rtu(&server) : listen_at(&server, where)) == -1) {
		fprintf(stderr, "%s: %s\n", server.tty != NULL ? server.tty : where,
			modbus_strerror(errno));
		return 2;
	}
	if (server.tty == NULL)
		run(&server);
	if (server.log != NULL)
		fclose(server.log);
	modbus_free(server.modbus);
	modbus_mapping_free(mapping);
	return server.forbidden ? 3 : 0;
}
