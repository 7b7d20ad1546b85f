/* modbus_differ.c - pollwerk and libmodbus ask the same server, and must read the same.
 *
 *   modbus_differ REQUESTS                       Modbus TCP
 *   modbus_differ REQUESTS TTY SERVERS-TTY       RTU, on the two ends of a cable
 *   modbus_differ REQUESTS PORT                  a server that is there, on 127.0.0.1
 *
 * A child of its own serves 65,536 random coils, contacts, holding and input registers by
 * libmodbus. REQUESTS random ones, all valid, of functions 1 to 4 are asked by the Modbus line
 * and then once more by libmodbus as a client; each bit and each register must be equal, and
 * so must what both make of two registers as a float in any of the four orders. Prints its
 * seed (PW_SEED). */
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "modbus/line.h"
#include "modbus/regs.h"

enum { ALL = 65536, UNIT = 1, BAUD = 115200 };

struct question {
	enum adu_function function;
	uint16_t address, count;
	enum line_outcome outcome;
	size_t size;
	uint8_t data[250];
};

static struct question *questions;
static size_t count, at;
static unsigned seed;
static struct loop *loop;
static struct line_request request;
static const char *our_tty, *server_tty;

static unsigned
roll(unsigned sides)
{
	return (unsigned)rand_r(&seed) % sides;
}

static bool
is_bits(const struct question *question)
{
	return question->function <= ADU_DISCRETE_INPUTS;
}

static void
make_questions(void)
{
	for (size_t i = 0; i < count; i++) {
		struct question *question = &questions[i];
		unsigned most;

		question->function = (enum adu_function)(1 + roll(4));
		most = is_bits(question) ? ADU_MAX_BITS : ADU_MAX_REGS;
		question->count = (uint16_t)(roll(4) == 0 ? most - roll(9) : 1 + roll(most));
		question->address = (uint16_t)(roll(8) == 0 ? ALL - question->count :
			(int)roll((unsigned)(ALL - question->count + 1)));
	}
}

/* ---- the server ---- */

static modbus_mapping_t *
make_registers(void)
{
	modbus_mapping_t *mapping = modbus_mapping_new(ALL, ALL, ALL, ALL);

	if (mapping == NULL)
		exit(2);
	for (int i = 0; i < ALL; i++) {
		mapping->tab_bits[i] = (uint8_t)roll(2);
		mapping->tab_input_bits[i] = (uint8_t)roll(2);
		mapping->tab_registers[i] = (uint16_t)roll(ALL);
		mapping->tab_input_registers[i] = (uint16_t)roll(ALL);
	}
	return mapping;
}

static void
serve(modbus_t *modbus, int listener)
{
	modbus_mapping_t *mapping = make_registers();
	uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int length;

		if (listener != -1 && modbus_tcp_accept(modbus, &listener) == -1)
			_exit(2);
		do {
			length = modbus_receive(modbus, query);
			if (length > 0)
				modbus_reply(modbus, query, length, mapping);
		} while (length != -1 || listener == -1);
		modbus_close(modbus);
	}
}

static modbus_t *
on_tty(const char *tty)
{
	modbus_t *modbus = modbus_new_rtu(tty, BAUD, 'E', 8, 1);

	if (modbus == NULL || modbus_set_slave(modbus, UNIT) == -1 || modbus_connect(modbus) == -1) {
		fprintf(stderr, "%s: %s\n", tty, modbus_strerror(errno));
		exit(2);
	}
	return modbus;
}

/* Leaves its port, 0 with RTU. */
static pid_t
start_server(uint16_t *port)
{
	modbus_t *modbus = server_tty != NULL ? on_tty(server_tty) : modbus_new_tcp("127.0.0.1", 0);
	int listener = server_tty != NULL ? -1 : modbus_tcp_listen(modbus, 4);
	struct sockaddr_in here = { .sin_port = 0 };
	socklen_t size = sizeof(here);
	pid_t child;

	if (server_tty == NULL && (listener == -1 ||
		getsockname(listener, (struct sockaddr *)&here, &size) == -1))
		exit(2);
	*port = ntohs(here.sin_port);
	child = fork();
	if (child == 0)
		serve(modbus, listener);
	if (listener != -1)
		close(listener);
	else
		modbus_close(modbus);
	modbus_free(modbus);
	return child;
}

/* ---- asking, ours ---- */

static void
ask(void)
{
	request.function = questions[at].function;
	request.address = questions[at].address;
	request.count = questions[at].count;
	line_send(&request);
}

static void
on_done(struct line_request *self, const struct line_result *result, void *arg)
{
	struct question *question = &questions[at];

	(void)self, (void)arg;
	question->outcome = result->outcome;
	if (result->outcome == LINE_ANSWER) {
		question->size = result->size;
		memcpy(question->data, result->data, result->size);
	} else {
		fprintf(stderr, "request %zu: %s\n", at, result->why);
	}
	if (++at < count)
		ask();
	else
		loop_stop(loop);
}

static void
ask_all(uint16_t port)
{
	struct line_options options = { .name = "differ", .framing = our_tty != NULL ? ADU_RTU :
		ADU_MBAP, .quiet = 5 * LOOP_MS, .connect_timeout = 10 * LOOP_S };
	struct line_unit unit = { .id = UNIT };
	struct lines *lines;
	struct fail why;

	if (our_tty != NULL)
		options.serial = (struct serial_options){ .device = our_tty, .baud = BAUD,
			.parity = 'E', .stop_bits = 1 };
	else if (net_addr_parse("127.0.0.1", port, &options.address, &why) == -1)
		exit(2);
	loop = loop_new(&why);
	lines = lines_new(loop);
	line_join(lines, &options, &unit);
	request = (struct line_request){ .unit = &unit, .timeout = 10 * LOOP_S, .done = on_done };
	ask();
	loop_run(loop);
	line_leave(&unit);
	lines_free(lines);
	loop_free(loop);
}

/* ---- and libmodbus ---- */

static unsigned
compare_bits(const struct question *question, const uint8_t *bits)
{
	unsigned differ = question->size != (question->count + 7u) / 8;

	for (unsigned i = 0; i < question->count; i++)
		differ += adu_bit(question->data, i) != (bits[i] != 0);
	return differ;
}

static unsigned
compare_floats(const uint8_t *bytes, const uint16_t *registers)
{
	static const struct { uint8_t swap; float (*theirs)(const uint16_t *); } orders[] = {
		{ 0, modbus_get_float_abcd }, { 1, modbus_get_float_badc },
		{ 2, modbus_get_float_cdab }, { 3, modbus_get_float_dcba } };
	unsigned differ = 0;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct regs_spec spec = { .type = REGS_F32, .order = { orders[i].swap, 4 } };
		double theirs = (double)orders[i].theirs(registers);
		struct regs_value value;

		regs_read(&spec, bytes, &value);
		differ += __builtin_isfinite(theirs) ? value.kind != REGS_NUMBER ||
			memcmp(&value.number, &theirs, sizeof(theirs)) != 0 :
						       value.kind != REGS_INVALID;
	}
	return differ;
}

static unsigned
compare_registers(const struct question *question, const uint16_t *registers)
{
	unsigned differ = question->size != 2u * question->count;

	for (unsigned i = 0; i < question->count; i++) {
		struct regs_spec spec = { .type = REGS_U16 };
		struct regs_value value;

		regs_read(&spec, question->data + 2 * i, &value);
		differ += value.raw != registers[i];
		if (i + 1 < question->count)
			differ += compare_floats(question->data + 2 * i, registers + i);
	}
	return differ;
}

static unsigned
compare(modbus_t *modbus, const struct question *question)
{
	static int (*const read_bits[])(modbus_t *, int, int, uint8_t *) = {
		NULL, modbus_read_bits, modbus_read_input_bits };
	static int (*const read_registers[])(modbus_t *, int, int, uint16_t *) = {
		NULL, NULL, NULL, modbus_read_registers, modbus_read_input_registers };
	uint8_t bits[ADU_MAX_BITS];
	uint16_t registers[ADU_MAX_REGS];
	int got = is_bits(question) ?
		read_bits[question->function](modbus, question->address, question->count, bits) :
		read_registers[question->function](modbus, question->address, question->count,
			registers);

	if (got != question->count || question->outcome != LINE_ANSWER) {
		fprintf(stderr, "function %d, %d from %d: libmodbus got %d\n", question->function,
			question->count, question->address, got);
		return 1;
	}
	return is_bits(question) ? compare_bits(question, bits) :
				   compare_registers(question, registers);
}

static unsigned
compare_all(uint16_t port)
{
	modbus_t *modbus = our_tty != NULL ? on_tty(our_tty) : modbus_new_tcp("127.0.0.1", port);
	unsigned differ = 0;

	if (our_tty == NULL && (modbus == NULL || modbus_connect(modbus) == -1))
		exit(2);
	modbus_set_slave(modbus, UNIT);
	modbus_set_response_timeout(modbus, 10, 0);
	for (size_t i = 0; i < count; i++)
		differ += compare(modbus, &questions[i]);
	modbus_close(modbus);
	modbus_free(modbus);
	return differ;
}

int
main(int argc, char **argv)
{
	const char *given = getenv("PW_SEED");
	unsigned differ;
	uint16_t port;
	pid_t server = -1;

	if (argc < 2 || argc > 4 || atoi(argv[1]) < 1) {
		fprintf(stderr, "usage: modbus_differ REQUESTS [TTY SERVERS-TTY | PORT]\n");
		return 2;
	}
	our_tty = argc == 4 ? argv[2] : NULL;
	server_tty = argc == 4 ? argv[3] : NULL;
	seed = given != NULL ? (unsigned)atoi(given) : (unsigned)time(NULL);
	printf("seed %u\n", seed);
	fflush(stdout);
	count = (size_t)atoi(argv[1]);
	questions = calloc(count, sizeof(*questions));
	if (questions == NULL)
		return 2;
	make_questions();
	if (argc == 3)
		port = (uint16_t)atoi(argv[2]);
	else
		server = start_server(&port);
	ask_all(port);
	differ = compare_all(port);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	printf("%zu requests, %u differences\n", count, differ);
	free(questions);
	return differ > 0 ? 1 : 0;
}
