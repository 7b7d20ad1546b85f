#include "modbus/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <modbus.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"

struct serial {
	struct loop *loop;
	struct loop_worker *worker;
	struct serial_options options;
	char *device;
	void (*opened)(int fd, const char *why, void *arg);
	void *arg;
	bool opening, given_up;

	/* The worker's while opening, else the loop's. */
	modbus_t *modbus;
	int lock_fd;
	struct fail why;
};

static const struct speed {
	uint32_t baud;
	speed_t constant;
} speeds[] = {
	{ 300, B300 }, { 600, B600 }, { 1200, B1200 }, { 2400, B2400 }, { 4800, B4800 },
	{ 9600, B9600 }, { 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 },
	{ 115200, B115200 }, { 230400, B230400 }, { 460800, B460800 }, { 921600, B921600 },
};

static const struct speed *
find_speed(int64_t baud)
{
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		if (speeds[i].baud == baud)
			return &speeds[i];
	}
	return NULL;
}

bool
serial_baud_known(int64_t baud)
{
	return find_speed(baud) != NULL;
}

static void
give_back(struct serial *serial)
{
	if (serial->modbus != NULL) {
		if (modbus_get_socket(serial->modbus) != -1)
			tcflush(modbus_get_socket(serial->modbus), TCIOFLUSH);
		modbus_close(serial->modbus);
		modbus_free(serial->modbus);
		serial->modbus = NULL;
	}
	if (serial->lock_fd != -1)
		close(serial->lock_fd);
	serial->lock_fd = -1;
}

/* Before anything is changed: the settings of a tty that another program uses are its own. */
static int
take_lock(struct serial *serial)
{
	serial->lock_fd = open(serial->device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (serial->lock_fd == -1) {
		fail_set(&serial->why, "%s: %s%s", serial->device, strerror(errno),
			errno == EACCES ? " (is poller.user in the group of the tty, dialout?)" :
			errno == EBUSY ? " (another program has it)" : "");
		return -1;
	}
	if (!isatty(serial->lock_fd)) {
		fail_set(&serial->why, "%s: is no serial line", serial->device);
		return -1;
	}
	if (flock(serial->lock_fd, LOCK_EX | LOCK_NB) == -1) {
		fail_set(&serial->why, "%s: another program has it", serial->device);
		return -1;
	}
	return 0;
}

/* What libmodbus has asked for is read back: some drivers take what they like. */
static int
check_settings(struct serial *serial, int fd)
{
	struct termios settings;

	if (tcgetattr(fd, &settings) == -1) {
		fail_set(&serial->why, "%s: %s", serial->device, strerror(errno));
		return -1;
	}
	if (cfgetospeed(&settings) != find_speed(serial->options.baud)->constant) {
		fail_set(&serial->why, "%s: does not take %u baud", serial->device,
			serial->options.baud);
		return -1;
	}
	/* So that nothing there is EAGAIN, and 0 means that the adapter has gone. */
	settings.c_cc[VMIN] = 1;
	settings.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSANOW, &settings) == -1) {
		fail_set(&serial->why, "%s: %s", serial->device, strerror(errno));
		return -1;
	}
	ioctl(fd, TIOCEXCL);
	tcflush(fd, TCIOFLUSH);
	return 0;
}

static void
work(void *arg)
{
	struct serial *serial = arg;
	const struct serial_options *options = &serial->options;

	if (take_lock(serial) == -1)
		goto fail;
	serial->modbus = modbus_new_rtu(serial->device, (int)options->baud, options->parity, 8,
		options->stop_bits);
	if (serial->modbus == NULL || modbus_connect(serial->modbus) == -1) {
		fail_set(&serial->why, "%s: %s", serial->device, modbus_strerror(errno));
		goto fail;
	}
	/* libmodbus 3.1.6 can set it on an open tty only. */
	if (options->rs485 &&
		modbus_rtu_set_serial_mode(serial->modbus, MODBUS_RTU_RS485) == -1) {
		fail_set(&serial->why, "%s: rs485: %s", serial->device, modbus_strerror(errno));
		goto fail;
	}
	if (check_settings(serial, modbus_get_socket(serial->modbus)) == -1)
		goto fail;
	return;
fail:
	give_back(serial);
}

static void
done(void *arg)
{
	struct serial *serial = arg;

	serial->opening = false;
	if (serial->given_up)
		give_back(serial);
	else
		serial->opened(serial->modbus == NULL ? -1 : modbus_get_socket(serial->modbus),
			serial->modbus == NULL ? serial->why.text : NULL, serial->arg);
}

struct serial *
serial_new(struct loop *loop, const struct serial_options *options,
	void (*opened)(int fd, const char *why, void *arg), void *arg, struct fail *why)
{
	struct serial *serial = mem_zero(sizeof(*serial));

	serial->loop = loop;
	serial->options = *options;
	serial->device = mem_text(options->device);
	serial->options.device = serial->device;
	serial->opened = opened;
	serial->arg = arg;
	serial->lock_fd = -1;
	serial->worker = loop_worker_new(loop, work, done, serial, why);
	if (serial->worker == NULL)
		goto fail;
	return serial;
fail:
	serial_free(serial);
	return NULL;
}

bool
serial_open(struct serial *serial)
{
	if (serial->opening)
		return false;
	give_back(serial);
	serial->opening = true;
	serial->given_up = false;
	serial->why = (struct fail){ "" };
	return loop_worker_kick(serial->worker);
}

void
serial_close(struct serial *serial)
{
	if (serial == NULL)
		return;
	if (serial->opening)
		serial->given_up = true;
	else
		give_back(serial);
}

void
serial_free(struct serial *serial)
{
	if (serial == NULL)
		return;
	if (serial->worker != NULL)
		loop_worker_free(serial->worker);
	give_back(serial);
	free(serial->device);
	free(serial);
}
