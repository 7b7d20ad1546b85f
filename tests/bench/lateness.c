/* lateness - how late a poller asked, from the log of a simulator.
 *
 *   lateness --format snmp|modbus --interval MS --from NS --to NS [--first N] LOG
 *
 * The log holds the kernel's receive time of each request, which on loopback is the time it
 * was sent. A poller that keeps its grid asks each device at phase + k x interval, where the
 * phase is a whole tick of 10 ms of wall time. How it chooses the phase is not known here: it
 * is taken to be the tick into which most first requests of a device's cycles fall. So a
 * delay by whole ticks that struck one device in most of its cycles would pass for its phase;
 * the poller's own count of late starts stands beside this one.
 *
 * Only devices that answered something count, with --first only the first N. In each of their cycles that begins between
 * --from and --to (Unix time in ns) there has to be a request; late is the first one's time
 * less the cycle's begin. Prints "name value" lines, times in ms. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000LL
#define TICK (10 * MS)
/* Between the clock of the poller, which it reads once a second, and the kernel's. */
#define CLOCKS_DIFFER MS
#define AGENTS 100000

struct agent {
	int64_t *times;
	size_t count, room;
	bool answered;
};

struct found {
	int64_t late;
	size_t agent;
	int64_t at;
};

struct options {
	bool modbus;
	int64_t interval, from, to;
	size_t first;
	const char *log;
};

struct result {
	struct found *found;
	size_t count, room;
	size_t living, dead, missed, requests;
	unsigned *phases; /* living devices per tick of the interval */
	size_t ticks;
};

static struct agent *agents;

static void *
grown(void *old, size_t count, size_t size)
{
	void *grown = reallocarray(old, count, size);

	if (grown == NULL) {
		fprintf(stderr, "lateness: out of memory\n");
		exit(2);
	}
	return grown;
}

/* ---- reading ---- */

static void
add_request(size_t number, int64_t time, bool answered)
{
	struct agent *agent = &agents[number];

	if (agent->count == agent->room) {
		agent->room = agent->room * 2 + 16;
		agent->times = grown(agent->times, agent->room, sizeof *agent->times);
	}
	agent->times[agent->count++] = time;
	agent->answered |= answered;
}

/* "received_ns mono_ns value_ns agent request_id pdu varbinds done" */
static bool
read_snmp(const char *line, int64_t *time, size_t *agent)
{
	return sscanf(line, "%" SCNd64 " %*d %*d %zu %*d %*s %*d", time, agent) == 2;
}

/* "wall_ns mono_ns agent connection request tid=T ...", and lines about connections */
static bool
read_modbus(const char *line, int64_t *time, size_t *agent)
{
	char word[16];

	return sscanf(line, "%" SCNd64 " %*d %zu %*d %15s", time, agent, word) == 3 &&
		strcmp(word, "request") == 0;
}

static void
read_log(const struct options *options, struct result *result)
{
	FILE *file = fopen(options->log, "re");
	char *line = NULL;
	size_t room = 0;

	if (file == NULL) {
		perror(options->log);
		exit(2);
	}
	while (getline(&line, &room, file) != -1) {
		int64_t time;
		size_t agent;

		if (*line == '#' || !(options->modbus ? read_modbus : read_snmp)(line, &time, &agent) ||
			agent >= AGENTS || agent > options->first)
			continue;
		result->requests++;
		add_request(agent, time, strstr(line, " answered") != NULL);
	}
	free(line);
	fclose(file);
}

/* ---- judging ---- */

static int
compare_times(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int
compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->late > y->late) - (x->late < y->late);
}

/* In ticks. A first request of a cycle is one that comes after half an interval of silence. */
static size_t
phase_of(const struct agent *agent, int64_t interval)
{
	size_t ticks = (size_t)(interval / TICK), best = 0;
	unsigned *votes = calloc(ticks, sizeof *votes);

	for (size_t i = 0; votes != NULL && i < agent->count; i++)
		if (i == 0 || agent->times[i] - agent->times[i - 1] > interval / 2)
			votes[(agent->times[i] + CLOCKS_DIFFER) % interval / TICK]++;
	for (size_t t = 0; votes != NULL && t < ticks; t++)
		if (votes[t] > votes[best])
			best = t;
	free(votes);
	return best;
}

static void
add_found(struct result *result, struct found found)
{
	if (result->count == result->room) {
		result->room = result->room * 2 + 1024;
		result->found = grown(result->found, result->room, sizeof *result->found);
	}
	result->found[result->count++] = found;
}

static void
judge_agent(const struct options *options, size_t number, struct result *result)
{
	struct agent *agent = &agents[number];
	int64_t interval = options->interval, phase, due;
	size_t at = 0, tick;

	qsort(agent->times, agent->count, sizeof *agent->times, compare_times);
	tick = phase_of(agent, interval);
	result->phases[tick]++;
	phase = (int64_t)tick * TICK;
	due = (options->from - phase + interval - 1) / interval * interval + phase;
	for (; due < options->to; due += interval) {
		while (at < agent->count && agent->times[at] < due - CLOCKS_DIFFER)
			at++;
		if (at == agent->count || agent->times[at] >= due + interval - CLOCKS_DIFFER)
			result->missed++;
		else
			add_found(result, (struct found){ agent->times[at] - due, number, due });
	}
}

static double
percentile(const struct result *result, double share)
{
	size_t rank = (size_t)(share * (double)result->count);

	if (result->count == 0)
		return 0;
	if (rank >= result->count)
		rank = result->count - 1;
	return (double)result->found[rank].late / MS;
}

static void
report(const struct result *result)
{
	unsigned busiest = 0;

	for (size_t t = 0; t < result->ticks; t++)
		if (result->phases[t] > busiest)
			busiest = result->phases[t];
	printf("living %zu\ndead %zu\nrequests %zu\ncycles %zu\nmissed %zu\nbusiest_tick %u\n",
		result->living, result->dead, result->requests, result->count, result->missed, busiest);
	printf("p50 %.3f\np99 %.3f\np99.9 %.3f\nmax %.3f\n", percentile(result, 0.5),
		percentile(result, 0.99), percentile(result, 0.999), percentile(result, 1));
	/* Whether they come in one stop or alone tells where to look. */
	for (size_t i = result->count; i > 0 && i + 5 > result->count; i--)
		fprintf(stderr, "  agent %zu: %.3f ms late at %.3f\n", result->found[i - 1].agent,
			(double)result->found[i - 1].late / MS, (double)result->found[i - 1].at / 1e9);
}

static int
read_options(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strncmp(argv[i], "--", 2) != 0) {
			options->log = argv[i];
			continue;
		}
		i++;
		if (strcmp(argv[i - 1], "--format") == 0)
			options->modbus = strcmp(value, "modbus") == 0;
		else if (strcmp(argv[i - 1], "--interval") == 0)
			options->interval = atoll(value) * MS;
		else if (strcmp(argv[i - 1], "--from") == 0)
			options->from = atoll(value);
		else if (strcmp(argv[i - 1], "--to") == 0)
			options->to = atoll(value);
		else if (strcmp(argv[i - 1], "--first") == 0)
			options->first = (size_t)atoll(value);
		else
			return -1;
	}
	return options->log != NULL && options->interval >= TICK &&
		options->interval % TICK == 0 && options->from < options->to ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct options options = { .first = AGENTS };
	struct result result = { 0 };

	if (read_options(argc, argv, &options) == -1) {
		fprintf(stderr, "usage: lateness --format snmp|modbus --interval MS "
			"--from NS --to NS [--first N] LOG\n");
		return 2;
	}
	agents = calloc(AGENTS, sizeof *agents);
	result.ticks = (size_t)(options.interval / TICK);
	result.phases = calloc(result.ticks, sizeof *result.phases);
	if (agents == NULL || result.phases == NULL)
		return 2;
	read_log(&options, &result);
	for (size_t i = 0; i < AGENTS; i++) {
		if (agents[i].count == 0)
			continue;
		if (agents[i].answered)
			result.living++;
		else
			result.dead++;
		if (agents[i].answered)
			judge_agent(&options, i, &result);
		free(agents[i].times);
	}
	if (result.count > 0)
		qsort(result.found, result.count, sizeof *result.found, compare_found);
	report(&result);
	free(result.found);
	free(result.phases);
	free(agents);
	return 0;
}
