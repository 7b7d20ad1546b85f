/* A tty as libmodbus gets it configured. What a pty cannot show (parity, RS-485) is seen in what
 * the kernel is asked for: tcsetattr and ioctl of this program stand before the C library's. */
#include "modbus/serial.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "../check.h"
#include "base/fail.h"
#include "base/loop.h"

static struct {
	bool takes_rs485;       /* the driver of the tty */
	unsigned rs485;         /* so often asked for it */
	unsigned flags;         /* of struct serial_rs485 */
	unsigned set;           /* calls of tcsetattr */
	struct termios first;   /* what the first of them asked for, libmodbus' */
} kernel;

static struct {
	struct loop *loop;
	struct loop_timer alarm;
	int master, fd;
	char name[64], why[300];
} bed;

/* The build hides what nobody outside has to see; libmodbus has to. */
#define SEEN __attribute__((visibility("default")))

SEEN int
ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...);
	va_list list;
	void *to;

	*(void **)&real = dlsym(RTLD_NEXT, "ioctl");
	va_start(list, request);
	to = va_arg(list, void *);
	va_end(list);
	if (request == TIOCGRS485 && kernel.takes_rs485) {
		memset(to, 0, sizeof(struct serial_rs485));
		return 0;
	}
	if (request == TIOCSRS485 && kernel.takes_rs485) {
		kernel.rs485++;
		kernel.flags = ((const struct serial_rs485 *)to)->flags;
		return 0;
	}
	return real(fd, request, to);
}

SEEN int
tcsetattr(int fd, int when, const struct termios *settings)
{
	int (*real)(int, int, const struct termios *);

	*(void **)&real = dlsym(RTLD_NEXT, "tcsetattr");
	if (kernel.set++ == 0)
		kernel.first = *settings;
	return real(fd, when, settings);
}

static void
on_opened(int fd, const char *why, void *arg)
{
	(void)arg;
	bed.fd = fd;
	snprintf(bed.why, sizeof bed.why, "%s", why == NULL ? "" : why);
	loop_stop(bed.loop);
}

static void
too_late(void *arg)
{
	(void)arg;
	CHECK(!"it was opened, or it was said why not");
}

static void
begin(void)
{
	memset(&kernel, 0, sizeof kernel);
	bed.loop = loop_new(NULL);
	bed.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (bed.master == -1) {
		loop_free(bed.loop);
		skip(); /* a machine without ptys */
	}
	CHECK(grantpt(bed.master) == 0 && unlockpt(bed.master) == 0);
	CHECK(ptsname_r(bed.master, bed.name, sizeof bed.name) == 0);
	loop_timer_init(&bed.alarm, too_late, NULL);
}

static void
finish(void)
{
	close(bed.master);
	loop_free(bed.loop);
}

/* Opens it and waits for what becomes of it; serial_free() the result. */
static struct serial *
opened(const char *device, uint32_t baud, char parity, uint8_t stop_bits, bool rs485)
{
	struct serial_options options = { .device = device, .baud = baud, .parity = parity,
		.stop_bits = stop_bits, .rs485 = rs485 };
	struct fail why;
	struct serial *serial = serial_new(bed.loop, &options, on_opened, NULL, &why);

	CHECK(serial != NULL);
	bed.fd = -2;
	loop_timer_in(bed.loop, &bed.alarm, 60 * LOOP_S);
	CHECK(serial_open(serial));
	CHECK_INT(bed.fd, -2); /* never inside serial_open */
	loop_run(bed.loop);
	loop_timer_stop(bed.loop, &bed.alarm);
	return serial;
}

static void
asks_for_speed_parity_and_stop_bits(void)
{
	static const struct {
		uint32_t baud;
		speed_t speed;
		char parity;
		uint8_t stop_bits;
		tcflag_t flags;
	} lines[] = {
		{ 9600, B9600, 'N', 1, 0 }, { 19200, B19200, 'E', 1, PARENB },
		{ 38400, B38400, 'O', 1, PARENB | PARODD }, { 115200, B115200, 'N', 2, CSTOPB },
		{ 300, B300, 'E', 2, PARENB | CSTOPB },
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct serial *serial;
		struct termios now;

		begin();
		kernel.takes_rs485 = true; /* and is not asked for it */
		serial = opened(bed.name, lines[i].baud, lines[i].parity, lines[i].stop_bits, false);
		CHECK_STR(bed.why, "");
		CHECK(bed.fd >= 0 && isatty(bed.fd));
		CHECK_INT(cfgetospeed(&kernel.first), lines[i].speed);
		CHECK_INT(kernel.first.c_cflag & (CSIZE | CSTOPB | PARENB | PARODD),
			CS8 | lines[i].flags);
		CHECK(tcgetattr(bed.fd, &now) == 0);
		CHECK_INT(cfgetospeed(&now), lines[i].speed);
		CHECK_INT(now.c_cc[VMIN], 1);
		CHECK_INT(kernel.rs485, 0);
		serial_free(serial);
		finish();
	}
}

static void
lets_the_driver_turn_the_bus_around_when_told_to(void)
{
	struct serial *serial;

	begin();
	kernel.takes_rs485 = true;
	serial = opened(bed.name, 19200, 'E', 1, true);
	CHECK_STR(bed.why, "");
	CHECK(bed.fd >= 0);
	CHECK_INT(kernel.rs485, 1);
	CHECK((kernel.flags & SER_RS485_ENABLED) != 0);
	serial_free(serial);
	finish();
}

static void
says_so_when_the_driver_cannot(void)
{
	struct serial *serial;
	char wanted[200];

	begin();
	serial = opened(bed.name, 19200, 'E', 1, true);
	snprintf(wanted, sizeof wanted, "%s: rs485: %s", bed.name, strerror(ENOTTY));
	CHECK_STR(bed.why, wanted);
	CHECK_INT(bed.fd, -1);
	serial_free(serial);
	finish();
}

static void
leaves_a_tty_alone_that_another_program_has(void)
{
	struct serial *serial;
	int other;

	begin();
	other = open(bed.name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(other != -1 && flock(other, LOCK_EX) == 0);
	serial = opened(bed.name, 19200, 'E', 1, false);
	CHECK_INT(bed.fd, -1);
	CHECK(strstr(bed.why, "another program has it") != NULL);
	CHECK_INT(kernel.set, 0);
	serial_free(serial);
	close(other);
	finish();
}

static void
gives_the_tty_back_as_it_was(void)
{
	struct termios before, after;
	struct serial *serial;
	int look;

	begin();
	look = open(bed.name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(look != -1 && tcgetattr(look, &before) == 0);
	serial = opened(bed.name, 1200 * 16, 'N', 2, false);
	CHECK(bed.fd >= 0 && tcgetattr(look, &after) == 0);
	CHECK(cfgetospeed(&after) == B19200 && cfgetospeed(&before) != B19200);
	serial_close(serial);
	CHECK(tcgetattr(look, &after) == 0);
	CHECK_INT(cfgetospeed(&after), cfgetospeed(&before));
	CHECK_INT(after.c_lflag, before.c_lflag);
	CHECK_INT(after.c_cflag, before.c_cflag);
	close(look);
	serial_free(serial);
	finish();
}

static void
says_what_is_no_serial_line(void)
{
	struct serial *serial;

	begin();
	serial = opened("/dev/null", 9600, 'N', 1, false);
	CHECK_STR(bed.why, "/dev/null: is no serial line");
	serial_free(serial);
	serial = opened("/nonexistent/tty", 9600, 'N', 1, false);
	CHECK(strstr(bed.why, strerror(ENOENT)) != NULL);
	serial_free(serial);
	finish();
}

static void
knows_the_speeds_that_libmodbus_knows(void)
{
	CHECK(serial_baud_known(9600) && serial_baud_known(921600) && serial_baud_known(300));
	CHECK(!serial_baud_known(0) && !serial_baud_known(12345) && !serial_baud_known(-9600));
}

RUN_TESTS(TEST(asks_for_speed_parity_and_stop_bits),
	TEST(lets_the_driver_turn_the_bus_around_when_told_to), TEST(says_so_when_the_driver_cannot),
	TEST(leaves_a_tty_alone_that_another_program_has), TEST(gives_the_tty_back_as_it_was),
	TEST(says_what_is_no_serial_line), TEST(knows_the_speeds_that_libmodbus_knows))
