/* kill9 - runs pollwerkd and kills its supervisor, poller and store at random instants, and
 * sometimes all three at once.
 *
 *   kill9 PROGRAM CONF STATE_DIR RUN_DIR KEEP_DIR KILLS-PER-ROLE SEED REST-MS
 *
 * Between two kills lies a rest of a fifth of REST-MS up to all of it.
 *
 * Every second kill of a role waits, after its random delay, for a state drawn at random
 * (inside write, fdatasync or rrd_update), which RUN_DIR/where shows. What a kill fell into is
 * what the role's successor found there. When one of the three was not hit, more kills follow
 * until it was, at most EXTRA. Journal segments are linked into KEEP_DIR, so that none is
 * lost by being dropped. SIGTERM ends the campaign early, and in order. Prints
 *   kill ROLE WALL-NS-OF-KILL WALL-NS-OF-BACK STATE
 *   up MS          how long a daemon started at once after the supervisor's end took to be up
 *   ended MS       how long the roles outlived their supervisor
 *   fault TEXT     what must not be
 * Includes nothing of pollwerk but the layout of that page. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "journal/whereabouts.h"

#define MS INT64_C(1000000)
#define EXTRA 60
#define LONG 20 /* kills from which on checkpoints are waited for as well */
#define KILLS_MAX 1000
#define PATIENCE (10000 * MS)

enum target { SUPERVISOR, POLLER, STORE, ALL, TARGETS };
static const char *const target_names[] = { "supervisor", "poller", "store", "all" };
static const char *const process_names[] = { "", "pollwerk-poller", "pollwerk-store" };
static const char *const state_names[] = { "else", "write", "fdatasync", "rrd_update",
	"checkpoint", "5", "6", "7" };

struct campaign {
	char **args;
	const char *state_dir, *run_dir, *keep_dir;
	pid_t daemon;
	pid_t roles[TARGETS];
	const volatile struct whereabouts *where;
	unsigned hits[8];
	int64_t rest; /* ms at most */
	bool fault;
};

static int64_t
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void
pause_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * MS };

	nanosleep(&t, NULL);
}

static void __attribute__((format(printf, 2, 3)))
fault(struct campaign *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("fault ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	c->fault = true;
}

/* ---- what can be seen from outside ---- */

static void
keep_segments(const struct campaign *c)
{
	char from[600], to[600];
	struct dirent *entry;
	DIR *dir;

	snprintf(from, sizeof from, "%s/journal", c->state_dir);
	dir = opendir(from);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".seg") == NULL)
			continue;
		snprintf(from, sizeof from, "%s/journal/%s", c->state_dir, entry->d_name);
		snprintf(to, sizeof to, "%s/%s", c->keep_dir, entry->d_name);
		if (link(from, to) == -1 && errno != EEXIST && errno != ENOENT)
			perror(to);
	}
	if (dir != NULL)
		closedir(dir);
}

static bool
map_where(struct campaign *c)
{
	char path[600];
	void *map;
	int fd;

	snprintf(path, sizeof path, "%s/where", c->run_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || lseek(fd, 0, SEEK_END) < (off_t)sizeof *c->where) {
		if (fd != -1)
			close(fd);
		return false;
	}
	map = mmap(NULL, sizeof *c->where, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	c->where = map == MAP_FAILED ? NULL : map;
	return c->where != NULL;
}

static int
page_row(enum target target)
{
	return target == STORE ? WHERE_STORE : WHERE_JOURNAL;
}

struct deaths {
	uint64_t code[8];
};
static struct deaths
deaths_of(const struct campaign *c, enum target target)
{
	struct deaths deaths = { { 0 } };

	for (int i = 0; i < 8 && c->where != NULL; i++)
		deaths.code[i] = c->where->died[page_row(target)][i];
	return deaths;
}

/* The state that a successor found since then; -1 while none has. */
static int
found_since(const struct campaign *c, enum target target, const struct deaths *before)
{
	struct deaths after = deaths_of(c, target);

	for (int i = 0; i < 8; i++)
		if (after.code[i] != before->code[i])
			return i;
	return -1;
}

static bool
is_gone(pid_t pid)
{
	char path[64], line[200] = "";
	const char *after;
	FILE *stat;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	stat = fopen(path, "r");
	if (stat == NULL)
		return true;
	if (fgets(line, sizeof line, stat) == NULL)
		line[0] = '\0';
	fclose(stat);
	after = strrchr(line, ')');
	return after == NULL || after[2] == 'Z' || after[2] == 'X';
}

static pid_t
child_named(pid_t parent, const char *name)
{
	char path[64], comm[32];
	int child;
	pid_t found = 0;
	FILE *children, *file;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
	children = fopen(path, "r");
	while (children != NULL && fscanf(children, "%d", &child) == 1) {
		snprintf(path, sizeof path, "/proc/%d/comm", child);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(comm, sizeof comm, file) != NULL &&
			strncmp(comm, name, strlen(name)) == 0)
			found = child;
		fclose(file);
	}
	if (children != NULL)
		fclose(children);
	return found;
}

/* ---- the daemon ---- */

static void
start_daemon(struct campaign *c)
{
	fflush(stdout);
	c->daemon = fork();
	if (c->daemon == 0) {
		signal(SIGTERM, SIG_DFL);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl(c->args[1], c->args[1], "-c", c->args[2], "-f", (char *)NULL);
		_exit(127);
	}
}

static bool
daemon_has_ended(struct campaign *c)
{
	return waitpid(c->daemon, NULL, WNOHANG) == c->daemon;
}

/* Starts it and waits until both roles have found their predecessors' ends. */
static void
start_until_up(struct campaign *c)
{
	struct deaths poller = deaths_of(c, POLLER), store = deaths_of(c, STORE);
	int64_t begun = now(CLOCK_MONOTONIC);

	start_daemon(c);
	while (now(CLOCK_MONOTONIC) - begun < PATIENCE) {
		if (daemon_has_ended(c)) {
			fault(c, "the daemon ends when its roles of before are there still");
			start_daemon(c);
		}
		if ((c->where != NULL || map_where(c)) && found_since(c, POLLER, &poller) != -1 &&
			found_since(c, STORE, &store) != -1) {
			c->roles[POLLER] = child_named(c->daemon, process_names[POLLER]);
			c->roles[STORE] = child_named(c->daemon, process_names[STORE]);
			if (c->roles[POLLER] != 0 && c->roles[STORE] != 0)
				return;
		}
		pause_ms(2);
	}
	fault(c, "the daemon is not up within 10 s");
}

/* ---- killing ---- */

/* Turns without sleeping: a write takes a few microseconds. */
static bool
wait_for_state(const struct campaign *c, enum target target, int state, int64_t patience)
{
	int64_t end = now(CLOCK_MONOTONIC) + patience;

	do {
		for (int i = 0; i < 2000; i++)
			if (c->where->code[page_row(target)] == (uint64_t)state)
				return true;
	} while (now(CLOCK_MONOTONIC) < end);
	return false;
}

/* Not always at the very begin of it. */
static void
go_on_into(int state)
{
	static const int64_t longest_us[] = { [WHERE_FDATASYNC] = 1000, [WHERE_RRD_UPDATE] = 150,
		[WHERE_CHECKPOINT] = 0 };
	int64_t end = now(CLOCK_MONOTONIC);

	if (longest_us[state] > 0)
		end += random() % (longest_us[state] * 1000);
	while (now(CLOCK_MONOTONIC) < end)
		continue;
}

static void
strike_role(struct campaign *c, enum target target, int state)
{
	struct deaths before = deaths_of(c, target);
	int64_t killed, begun;
	int found = -1;
	pid_t next = 0;

	if (state != WHERE_ELSE && wait_for_state(c, target, state, 3000 * MS))
		go_on_into(state);
	kill(c->roles[target], SIGKILL);
	killed = now(CLOCK_REALTIME);
	begun = now(CLOCK_MONOTONIC);
	while (now(CLOCK_MONOTONIC) - begun < PATIENCE) {
		found = found_since(c, target, &before);
		next = child_named(c->daemon, process_names[target]);
		if (found != -1 && next != 0 && next != c->roles[target])
			break;
		pause_ms(1);
	}
	if (found == -1)
		fault(c, "the %s is not back within 10 s", target_names[target]);
	else
		c->hits[found]++;
	c->roles[target] = next;
	printf("kill %s %lld %lld %s\n", target_names[target], (long long)killed,
		(long long)now(CLOCK_REALTIME), found == -1 ? "?" : state_names[found]);
}

/* Its roles with it, as when a machine runs out of memory, or left to themselves. */
static void
strike_supervisor(struct campaign *c, bool all)
{
	pid_t roles[] = { c->roles[POLLER], c->roles[STORE] };
	int64_t killed = now(CLOCK_REALTIME), begun = now(CLOCK_MONOTONIC), up, ended;

	kill(c->daemon, SIGKILL);
	for (int i = 0; i < 2 && all; i++)
		kill(roles[i], SIGKILL);
	waitpid(c->daemon, NULL, 0);
	start_until_up(c);
	ended = up = now(CLOCK_MONOTONIC);
	while ((!is_gone(roles[0]) || !is_gone(roles[1])) && ended - begun < PATIENCE) {
		pause_ms(5);
		ended = now(CLOCK_MONOTONIC);
	}
	if (!is_gone(roles[0]) || !is_gone(roles[1]))
		fault(c, "a role outlives its supervisor by 10 s");
	printf("kill %s %lld %lld else\n", target_names[all ? ALL : SUPERVISOR], (long long)killed,
		(long long)now(CLOCK_REALTIME));
	printf("up %lld\n", (long long)((up - begun) / MS));
	printf("ended %lld\n", (long long)((ended - begun) / MS));
}

static void
rest(struct campaign *c, int64_t ms)
{
	for (; ms > 0; ms -= 100) {
		keep_segments(c);
		pause_ms(ms < 100 ? ms : 100);
	}
}

static void
strike(struct campaign *c, enum target target, int state)
{
	rest(c, c->rest / 5 + random() % (c->rest * 4 / 5));
	if (target == SUPERVISOR || target == ALL)
		strike_supervisor(c, target == ALL);
	else
		strike_role(c, target, state);
	keep_segments(c);
	fflush(stdout);
}

/* The store makes a checkpoint each minute, or when it is told to: killed inside it, or when
 * it has made one. */
static void
strike_checkpoint(struct campaign *c, int64_t after_ms)
{
	int64_t end = now(CLOCK_MONOTONIC) + 75000 * MS;

	if (after_ms > 0)
		kill(c->roles[STORE], SIGUSR1);
	while (c->where->code[WHERE_STORE] != WHERE_CHECKPOINT && now(CLOCK_MONOTONIC) < end) {
		struct timespec t = { 0, MS / 5 };

		keep_segments(c);
		for (int i = 0; i < 200 && c->where->code[WHERE_STORE] != WHERE_CHECKPOINT; i++)
			nanosleep(&t, NULL);
	}
	if (now(CLOCK_MONOTONIC) >= end)
		fault(c, "no checkpoint within 75 s");
	if (after_ms > 0)
		rest(c, after_ms);
	strike_role(c, STORE, WHERE_ELSE);
	rest(c, 3000);
}

static int
random_state(enum target target)
{
	if (random() % 2 == 0 || target == SUPERVISOR || target == ALL)
		return WHERE_ELSE;
	if (target == STORE)
		return WHERE_RRD_UPDATE;
	return random() % 2 == 0 ? WHERE_WRITE : WHERE_FDATASYNC;
}

static volatile sig_atomic_t enough;

static void
take_enough(int number)
{
	(void)number;
	enough = 1;
}

/* Until there have been so many kills, or somebody has had enough. */
static void
run_campaign(struct campaign *c, int kills)
{
	static enum target order[TARGETS * KILLS_MAX];
	int count = 0, extra = 0;

	for (int i = 0; i < kills; i++)
		for (int target = 0; target < TARGETS; target++)
			if (target != ALL || i % 4 == 0)
				order[count++] = (enum target)target;
	for (int i = count - 1; i > 0; i--) {
		int other = (int)(random() % (i + 1));
		enum target kept = order[i];

		order[i] = order[other];
		order[other] = kept;
	}
	for (int i = 0; i < count && !c->fault && !enough; i++) {
		/* Long campaigns have checkpoints, and kills shortly after them, all the time. */
		if (kills >= LONG && random() % 4 == 0)
			kill(c->roles[STORE], SIGUSR1);
		strike(c, order[i], random_state(order[i]));
	}
	if (kills >= LONG && !c->fault) {
		strike_checkpoint(c, 0);
		strike_checkpoint(c, 100 + random() % 900);
	}
	for (int state = WHERE_WRITE; state <= WHERE_RRD_UPDATE; state++)
		for (; c->hits[state] == 0 && extra < EXTRA && !c->fault; extra++)
			strike(c, state == WHERE_RRD_UPDATE ? STORE : POLLER, state);
	if (extra > 0)
		printf("extra %d\n", extra);
}

int
main(int argc, char **argv)
{
	struct campaign c = { .args = argv };
	int status = 0;

	if (argc != 9 || atoi(argv[6]) < 1 || atoi(argv[6]) > KILLS_MAX || atoi(argv[8]) < 10) {
		fputs("usage: kill9 PROGRAM CONF STATE_DIR RUN_DIR KEEP_DIR KILLS-PER-ROLE SEED REST-MS\n",
			stderr);
		return 2;
	}
	c.state_dir = argv[3];
	c.run_dir = argv[4];
	c.keep_dir = argv[5];
	c.rest = atoi(argv[8]);
	signal(SIGTERM, take_enough);
	srandom((unsigned)strtoul(argv[7], NULL, 10));
	start_until_up(&c);
	/* Long campaigns are about full files; those of a short one are being made. */
	rest(&c, atoi(argv[6]) > 100 ? 15000 : 3000);
	run_campaign(&c, atoi(argv[6]));
	puts("calm");
	fflush(stdout);
	rest(&c, 6000);
	kill(c.daemon, SIGTERM);
	waitpid(c.daemon, &status, 0);
	keep_segments(&c);
	if (status != 0)
		fault(&c, "the daemon's last run ended with status %#x", (unsigned)status);
	return c.fault ? 1 : 0;
}
