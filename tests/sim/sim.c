#include "sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * SIM_S + now.tv_nsec;
}

int64_t
sim_mono(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t
sim_wall(void)
{
	static int64_t anchor;

	if (anchor == 0)
		anchor = clock_ns(CLOCK_REALTIME) - sim_mono();
	return sim_mono() + anchor;
}

void
sim_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

void *
sim_zero(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (memory == NULL)
		sim_die("no memory for %zu x %zu bytes", count, size);
	return memory;
}

void
sim_address(const char *text, struct sockaddr_in *to)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	double port;

	memset(to, 0, sizeof *to);
	to->sin_family = AF_INET;
	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
	if (colon == NULL || inet_pton(AF_INET, host, &to->sin_addr) != 1 ||
		!sim_number(colon + 1, &port) || port < 0 || port > 65535)
		sim_die("address \"%s\": expected IPV4:PORT", text);
	to->sin_port = htons((uint16_t)port);
}

bool
sim_number(const char *text, double *number)
{
	char *end;

	if (*text == '\0')
		return false;
	*number = strtod(text, &end);
	return *end == '\0' && *number == *number;
}

char *
sim_word(char **line)
{
	char *word;

	do {
		word = strsep(line, " \t\n");
	} while (word != NULL && *word == '\0');
	return word;
}

void
sim_seed(uint64_t seed)
{
	random_state = (seed + 1) * 0x9e3779b97f4a7c15u;
	if (random_state == 0)
		random_state = 1;
}

uint64_t
sim_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1du;
}

bool
sim_chance(double probability)
{
	if (probability <= 0)
		return false;
	return (double)(sim_random() >> 11) / 9007199254740992.0 < probability;
}

struct simlog {
	FILE *file;
};

struct simlog *
simlog_open(const char *path, const char *head)
{
	struct simlog *log;

	if (path == NULL)
		return NULL;
	log = sim_zero(1, sizeof *log);
	log->file = fopen(path, "ae");
	if (log->file == NULL)
		sim_die("%s: %s", path, strerror(errno));
	setvbuf(log->file, NULL, _IOFBF, 1 << 20);
	fprintf(log->file, "# %s\n", head);
	return log;
}

void
simlog_add(struct simlog *log, const char *format, ...)
{
	va_list args;

	if (log == NULL)
		return;
	va_start(args, format);
	vfprintf(log->file, format, args);
	va_end(args);
}

void
simlog_number(struct simlog *log, int64_t number, char after)
{
	char text[24], *at = text + sizeof text;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	if (log == NULL)
		return;
	*--at = after;
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (number < 0)
		*--at = '-';
	fwrite_unlocked(at, 1, (size_t)(text + sizeof text - at), log->file);
}

void
simlog_text(struct simlog *log, const char *text)
{
	if (log != NULL)
		fputs_unlocked(text, log->file);
}

void
simlog_flush(struct simlog *log)
{
	if (log != NULL && fflush(log->file) == EOF)
		sim_die("log: %s", strerror(errno));
}

void
simlog_close(struct simlog *log)
{
	if (log == NULL)
		return;
	simlog_flush(log);
	fclose(log->file);
	free(log);
}

static bool
fault_set(const struct fault_name *names, void *faults, char *word, char *why, size_t size)
{
	char *value = strchr(word, '=');
	double number;

	if (value != NULL)
		*value++ = '\0';
	for (; names->name != NULL; names++)
		if (strcmp(names->name, word) == 0)
			break;
	if (names->name == NULL)
		snprintf(why, size, "fault \"%s\" is not known", word);
	else if (value == NULL || !sim_number(value, &number))
		snprintf(why, size, "fault \"%s\": expected %s=NUMBER", word, word);
	else {
		memcpy((char *)faults + names->offset, &number, sizeof number);
		return true;
	}
	return false;
}

bool
faults_set(const struct fault_name *names, void *faults, char *words, char *why, size_t size)
{
	char *word;

	while ((word = sim_word(&words)) != NULL)
		if (!fault_set(names, faults, word, why, size))
			return false;
	return true;
}

void
faults_help(const struct fault_name *names)
{
	for (; names->name != NULL; names++)
		printf("  %-18s %s\n", names->name, names->help);
}

static void
on_control(int fd, short what, void *arg)
{
	struct sim *sim = arg;
	char line[2048], why[512];
	struct sockaddr_un from;
	socklen_t length = sizeof from;
	ssize_t n = recvfrom(fd, line, sizeof line - 1, 0, (struct sockaddr *)&from, &length);

	(void)what;
	if (n < 0)
		return;
	line[n] = '\0';
	why[0] = '\0';
	simlog_add(sim->log, "# %lld control: %s%s", (long long)sim_wall(), line,
		n > 0 && line[n - 1] == '\n' ? "" : "\n");
	sim->command(sim, line, why, sizeof why);
	if (length <= sizeof(sa_family_t))
		return; /* a sender without a name wants no answer */
	if (why[0] == '\0')
		snprintf(why, sizeof why, "ok");
	sendto(fd, why, strlen(why), MSG_DONTWAIT, (struct sockaddr *)&from, length);
}

static void
control_open(struct sim *sim, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	sim->control_fd = -1;
	if (path == NULL)
		return;
	if (strlen(path) >= sizeof at.sun_path)
		sim_die("control socket %s: longer than %zu characters", path,
			sizeof at.sun_path - 1);
	strcpy(at.sun_path, path);
	unlink(path);
	sim->control_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(sim->control_fd, (struct sockaddr *)&at, sizeof at) == -1)
		sim_die("control socket %s: %s", path, strerror(errno));
	sim->control_path = path;
	sim->control_event = event_new(sim->base, sim->control_fd, EV_READ | EV_PERSIST,
		on_control, sim);
	event_add(sim->control_event, NULL);
}

static void
on_end(int fd, short what, void *arg)
{
	struct sim *sim = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(sim->base);
}

static void
on_flush(int fd, short what, void *arg)
{
	struct sim *sim = arg;

	(void)fd;
	(void)what;
	simlog_flush(sim->log);
}

static struct event *
signal_add(struct sim *sim, int number, event_callback_fn call)
{
	struct event *event = evsignal_new(sim->base, number, call, sim);

	evsignal_add(event, NULL);
	return event;
}

void
sim_open(struct sim *sim, const char *control_path)
{
	struct event_config *config = event_config_new();
	struct timeval second = { 1, 0 };
	struct rlimit files;

	/* A thousand agents with a client each need more files than the soft limit. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	sim->base = event_base_new_with_config(config);
	event_config_free(config);
	if (sim->base == NULL)
		sim_die("no event loop");
	signal(SIGPIPE, SIG_IGN);
	sim->term_event = signal_add(sim, SIGTERM, on_end);
	sim->int_event = signal_add(sim, SIGINT, on_end);
	sim->flush_event = signal_add(sim, SIGUSR1, on_flush);
	sim->tick_event = event_new(sim->base, -1, EV_PERSIST, on_flush, sim);
	event_add(sim->tick_event, &second);
	control_open(sim, control_path);
}

int
sim_run(struct sim *sim)
{
	event_base_dispatch(sim->base);
	if (sim->violations > 0)
		fprintf(stderr, "%llu forbidden requests seen\n",
			(unsigned long long)sim->violations);
	return sim->violations > 0 ? SIM_VIOLATION : 0;
}

void
sim_close(struct sim *sim)
{
	void *const events[] = { sim->control_event, sim->term_event, sim->int_event,
		sim->flush_event, sim->tick_event };

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (sim->control_fd != -1) {
		close(sim->control_fd);
		unlink(sim->control_path);
	}
	event_base_free(sim->base);
	simlog_close(sim->log);
}
