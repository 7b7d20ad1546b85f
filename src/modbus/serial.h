/* serial.h - a tty that belongs to one line: opened, configured and locked.
 *
 * libmodbus opens it and sets speed, parity, stop bits and RS-485; what goes over it is the
 * line's. That happens beside the loop, because opening an adapter that hangs may take
 * seconds. The tty is locked (flock, TIOCEXCL), so that no second program shares the bus, and
 * gets its old settings back when it is closed. */
#ifndef PW_SERIAL_H
#define PW_SERIAL_H

#include <stdbool.h>
#include <stdint.h>
struct fail;
struct loop;
struct serial;

struct serial_options {
	const char *device;  /* "/dev/ttyUSB0"; "" or NULL: no serial line */
	uint32_t baud;       /* serial_baud_known */
	char parity;         /* 'N', 'E', 'O' */
	uint8_t stop_bits;   /* 1, 2 */
	bool rs485;          /* the driver of the tty turns the bus around */
};

/* libmodbus takes any other speed for 9600. */
bool serial_baud_known(int64_t baud);

/* opened gets the descriptor, which stays the serial's, or -1 and why. Never inside
 * serial_open. NULL and why when there is no thread to be had. */
struct serial *serial_new(struct loop *loop, const struct serial_options *options,
	void (*opened)(int fd, const char *why, void *arg), void *arg, struct fail *why);
/* False while an earlier attempt still hangs in the kernel. */
bool serial_open(struct serial *serial);
/* The tty is given back. An attempt under way is given up: opened is not called for it. */
void serial_close(struct serial *serial);
void serial_free(struct serial *serial); /* waits for an attempt under way; NULL is fine */
#endif
