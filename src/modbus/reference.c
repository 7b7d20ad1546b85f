#include "modbus/reference.h"

#include <errno.h>
#include <modbus.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "base/str.h"
#include "modbus/modbus.h"

#define READS_MAX 8

/* What the child writes and its parent reads. */
struct board {
	bool connected, ended;
	char why[160];
	struct reference_read reads[READS_MAX];
};

static bool
is_tty(const struct modbus_options *device)
{
	return device->serial.device != NULL && device->serial.device[0] != '\0';
}

static modbus_t *
context(const struct modbus_options *device)
{
	char host[64], port[8];

	if (is_tty(device))
		return modbus_new_rtu(device->serial.device, (int)device->serial.baud,
			device->serial.parity, 8, device->serial.stop_bits);
	net_addr_text(host, sizeof host, &device->address, false);
	snprintf(port, sizeof port, "%u", device->address.port);
	return modbus_new_tcp_pi(host, port);
}

static void
read_one(modbus_t *modbus, struct reference_read *read)
{
	uint8_t bits[REFERENCE_VALUES];
	int address = read->address, count = (int)read->count, got;

	switch (read->function) {
	case ADU_COILS:
		got = modbus_read_bits(modbus, address, count, bits);
		break;
	case ADU_DISCRETE_INPUTS:
		got = modbus_read_input_bits(modbus, address, count, bits);
		break;
	case ADU_HOLDING_REGISTERS:
		got = modbus_read_registers(modbus, address, count, read->values);
		break;
	default:
		got = modbus_read_input_registers(modbus, address, count, read->values);
		break;
	}
	if (got != count) {
		str_copy(read->why, sizeof read->why, modbus_strerror(errno));
		return;
	}
	for (int i = 0; i < count && read->function <= ADU_DISCRETE_INPUTS; i++)
		read->values[i] = bits[i];
	read->got = read->count;
}

static void
child(const struct modbus_options *device, struct board *board, size_t count)
{
	int64_t timeout = device->timeout;
	modbus_t *modbus = context(device);

	/* Ends it whatever libmodbus is doing; nothing is written then. */
	alarm((unsigned)(10 + (int64_t)(count + 1) * (timeout / LOOP_S + 1)));
	if (modbus == NULL || modbus_set_slave(modbus, device->unit_id) == -1) {
		str_copy(board->why, sizeof board->why, modbus_strerror(errno));
		_exit(0);
	}
	modbus_set_response_timeout(modbus, (uint32_t)(timeout / LOOP_S),
		(uint32_t)(timeout % LOOP_S / 1000));
	/* Else it begins anew with each octet, and an answer may take for ever. */
	modbus_set_byte_timeout(modbus, 0, 0);
	if (modbus_connect(modbus) == -1) {
		str_copy(board->why, sizeof board->why, modbus_strerror(errno));
		_exit(0);
	}
	board->connected = true;
	for (size_t i = 0; i < count; i++)
		read_one(modbus, &board->reads[i]);
	modbus_close(modbus);
	modbus_free(modbus);
	board->ended = true;
	_exit(0);
}

static int
judge(const struct board *board, struct fail *why)
{
	if (board->ended)
		return 0;
	fail_set(why, "libmodbus: %s", board->why[0] != '\0' ? board->why :
		board->connected ? "did not come back in time" : "was not connected in time");
	return -1;
}

int
reference_run(const struct modbus_options *device, struct reference_read *reads,
	size_t count, struct fail *why)
{
	struct board *board;
	int result = -1;
	pid_t pid;

	if (device->framing == ADU_RTU && !is_tty(device)) {
		fail_set(why, "libmodbus does not speak RTU over TCP: no reference");
		return -1;
	}
	if (device->tls != NULL) {
		fail_set(why, "libmodbus does not speak TLS: no reference");
		return -1;
	}
	if (count > READS_MAX) {
		fail_set(why, "at most %d reads", READS_MAX);
		return -1;
	}
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED) {
		fail_set(why, "mmap: %s", strerror(errno));
		return -1;
	}
	memcpy(board->reads, reads, count * sizeof *reads);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(device, board, count);
	if (pid == -1) {
		fail_set(why, "fork: %s", strerror(errno));
	} else {
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
		result = judge(board, why);
		memcpy(reads, board->reads, count * sizeof *reads);
	}
	munmap(board, sizeof *board);
	return result;
}
