#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static struct {
	enum log_target target;
	char role[24];
	int verbose;
	unsigned long dropped;
	void (*catch)(char, const char *, void *);
	void *catch_arg;
} self;

void
log_open(enum log_target target, const char *role)
{
	self.target = target;
	snprintf(self.role, sizeof self.role, "%s", role);
	if (target == LOG_TARGET_SYSLOG)
		openlog("pollwerkd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_verbose(int on)
{
	self.verbose = on;
}

void
log_catch(void (*catch)(char, const char *, void *), void *arg)
{
	self.catch = catch;
	self.catch_arg = arg;
}

/* Device names and agents' texts can carry anything: one line stays one line. */
static void
make_printable(char *line)
{
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static void
write_stderr(const char *line)
{
	char text[1200];
	struct timespec now;
	struct tm utc;
	int length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s%s%s\n",
		utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		utc.tm_sec, now.tv_nsec / 1000000, self.role, *self.role ? ": " : "", line);
	if (length >= (int)sizeof text)
		length = sizeof text - 1;
	if (write(STDERR_FILENO, text, (size_t)length) < 0 && errno == EAGAIN)
		self.dropped++;
}

static void
log_line(char level, int priority, const char *format, va_list args)
{
	char line[1024];
	int saved = errno;

	vsnprintf(line, sizeof line, format, args);
	make_printable(line);
	if (self.catch != NULL)
		self.catch(level, line, self.catch_arg);
	else if (self.target == LOG_TARGET_SYSLOG)
		syslog(priority, "%s: %s", self.role, line);
	else if (self.target == LOG_TARGET_STDERR)
		write_stderr(line);
	if (self.dropped > 0 && self.target == LOG_TARGET_STDERR && self.catch == NULL) {
		unsigned long dropped = self.dropped;
		char note[80];

		self.dropped = 0;
		snprintf(note, sizeof note, "%lu log lines lost: stderr was full", dropped);
		write_stderr(note);
		if (self.dropped > 0)
			self.dropped += dropped;
	}
	errno = saved;
}

#define LOG_FUNCTION(name, level, priority)                                            \
	void name(const char *format, ...)                                             \
	{                                                                              \
		va_list args;                                                          \
		va_start(args, format);                                                \
		log_line(level, priority, format, args);                               \
		va_end(args);                                                          \
	}

LOG_FUNCTION(log_error, 'E', LOG_ERR)
LOG_FUNCTION(log_warn, 'W', LOG_WARNING)
LOG_FUNCTION(log_info, 'I', LOG_INFO)

void
log_debug(const char *format, ...)
{
	va_list args;

	if (!self.verbose)
		return;
	va_start(args, format);
	log_line('D', LOG_DEBUG, format, args);
	va_end(args);
}
