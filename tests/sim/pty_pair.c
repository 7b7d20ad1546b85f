/* pty_pair.c - two serial ports joined by a cable, for tests on machines that have none.
 *
 * pty_pair LINK-A LINK-B [echo]
 *
 * Makes two ptys, LINK-A and LINK-B become symbolic links to them, and what is written to one
 * is read from the other. echo: A is an adapter that gives back what it is sent, first.
 * Prints "ready" when both are there. SIGUSR1 unplugs A: whoever has it open sees it go, and
 * the link points nowhere; SIGUSR2 plugs in a new one. SIGTERM ends it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t stop, unplug, plug;

static void
on_signal(int number)
{
	if (number == SIGUSR1)
		unplug = 1;
	else if (number == SIGUSR2)
		plug = 1;
	else
		stop = 1;
}

/* A raw pty with the link to it; returns its master, *keep its slave, which stays open so that
 * the master does not hang up while nobody uses the port. */
static int
port_new(const char *link, int *keep)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct termios raw;
	const char *name;

	if (master == -1 || grantpt(master) == -1 || unlockpt(master) == -1 ||
		(name = ptsname(master)) == NULL)
		return -1;
	*keep = open(name, O_RDWR | O_NOCTTY);
	if (*keep == -1 || tcgetattr(*keep, &raw) == -1)
		return -1;
	cfmakeraw(&raw);
	tcsetattr(*keep, TCSANOW, &raw);
	unlink(link);
	return symlink(name, link) == 0 ? master : -1;
}

static void
put(int fd, const char *bytes, ssize_t size)
{
	while (fd != -1 && size > 0) {
		ssize_t n = write(fd, bytes, (size_t)size);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		bytes += n;
		size -= n;
	}
}

static void
relay(struct pollfd *from, int to, bool echo)
{
	char bytes[512];
	ssize_t n;

	if (from->fd == -1 || (from->revents & POLLIN) == 0)
		return;
	n = read(from->fd, bytes, sizeof bytes);
	if (echo)
		put(from->fd, bytes, n);
	put(to, bytes, n);
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct pollfd ports[2] = { { .fd = -1, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	int keep[2] = { -1, -1 };
	bool echo = argc == 4 && strcmp(argv[3], "echo") == 0;

	if (argc < 3)
		return 2;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	for (int i = 0; i < 2; i++) {
		ports[i].fd = port_new(argv[1 + i], &keep[i]);
		if (ports[i].fd == -1) {
			perror(argv[1 + i]);
			return 2;
		}
	}
	printf("ready\n");
	fflush(stdout);
	while (!stop) {
		if (unplug && ports[0].fd != -1) {
			unlink(argv[1]);
			close(keep[0]);
			close(ports[0].fd);
			ports[0].fd = -1;
		}
		unplug = 0;
		if (plug && ports[0].fd == -1)
			ports[0].fd = port_new(argv[1], &keep[0]);
		plug = 0;
		if (poll(ports, 2, 500) <= 0)
			continue;
		relay(&ports[0], ports[1].fd, echo);
		relay(&ports[1], ports[0].fd, false);
	}
	unlink(argv[1]);
	unlink(argv[2]);
	return 0;
}
