#include "graph/graph.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <rrd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "graph/picture.h"

#define PATIENCE_MS 10000

static int
is_font(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	const char *dot = strrchr(path, '.');

	(void)status;
	(void)walk;
	return kind == FTW_F && dot != NULL &&
		(strcmp(dot, ".ttf") == 0 || strcmp(dot, ".otf") == 0 || strcmp(dot, ".pfb") == 0 ||
			strcmp(dot, ".ttc") == 0);
}

int
graph_check_fonts(struct fail *why)
{
	static const char *const places[] = { "/usr/share/fonts", "/usr/local/share/fonts" };

	for (int i = 0; i < 2; i++)
		if (nftw(places[i], is_font, 16, FTW_PHYS) == 1)
			return 0;
	fail_set(why, "no fonts installed, the text would be boxes: apt-get install fonts-dejavu-core");
	return -1;
}

static void
set_limits(void)
{
	struct rlimit cpu = { 8, 10 };
	struct rlimit core = { 0, 0 };

	setrlimit(RLIMIT_CPU, &cpu);
	mem_limit((size_t)1 << 30);
	setrlimit(RLIMIT_CORE, &core);
}

static bool
write_all(int fd, const unsigned char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, bytes, size);

		if (done == -1 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes += done;
		size -= (size_t)done;
	}
	return true;
}

/* librrd says nothing when it cannot write: it is asked for the octets. */
static void
write_image(const rrd_info_t *info, const char *output, int report)
{
	bool to_stdout = strcmp(output, "-") == 0;
	int fd;

	while (info != NULL && (info->type != RD_I_BLO || strcmp(info->key, "image") != 0))
		info = info->next;
	if (info == NULL || info->value.u_blo.size == 0) {
		dprintf(report, "no picture came of it");
		return;
	}
	fd = to_stdout ? STDOUT_FILENO :
		open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd == -1 || !write_all(fd, info->value.u_blo.ptr, info->value.u_blo.size) ||
		(close(fd) == -1 && errno != EINTR))
		dprintf(report, "%s", strerror(errno));
}

static _Noreturn void
draw_in_child(const struct picture *picture, const char *output, int report)
{
	int count;
	char **arguments = picture_arguments(picture, "-", &count);
	rrd_info_t *info;

	set_limits();
	/* The user's rrdcached knows nothing of our files. */
	unsetenv("RRDCACHED_ADDRESS");
	rrd_clear_error();
	info = rrd_graph_v(count, arguments);
	if (info == NULL || rrd_test_error())
		dprintf(report, "%s", rrd_get_error());
	else
		write_image(info, output, report);
	_exit(info == NULL ? 1 : 0);
}

/* What the child said until it closed the pipe; false when it took too long. */
static bool
read_report(int fd, char *text, size_t size)
{
	size_t used = 0;

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&ready, 1, PATIENCE_MS) <= 0)
			return false;
		got = read(fd, text + used, size - 1 - used);
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	text[used] = '\0';
	return true;
}

int
graph_draw(const struct picture *picture, const char *output, struct fail *why)
{
	char text[400] = "";
	int report[2], status = 0;
	bool in_time;
	pid_t pid;

	if (graph_check_fonts(why) == -1)
		return -1;
	if (pipe2(report, O_CLOEXEC) == -1) {
		fail_set(why, "pipe: %s", strerror(errno));
		return -1;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(report[0]);
		draw_in_child(picture, output, report[1]);
	}
	close(report[1]);
	in_time = pid != -1 && read_report(report[0], text, sizeof text);
	close(report[0]);
	if (pid != -1 && !in_time)
		kill(pid, SIGKILL);
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (pid != -1 && in_time && status == 0 && text[0] == '\0')
		return 0;
	fail_set(why, "%s: %s", output, !in_time ? "drawing took too long" :
		text[0] != '\0' ? text : "drawing ended the drawing process");
	return -1;
}
