/* pollwerk status: is the poller well? Exit 1 when its health is not "ok". */
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "base/str.h"
#include "cli/ask.h"
#include "cli/cmd.h"

/* The first names, and how many there are: a thousand would hide the rest. */
static void
print_weak(const json_t *names)
{
	size_t count = json_array_size(names);

	if (count == 0)
		return;
	printf("weak       MD5 or DES for");
	for (size_t i = 0; i < count && i < 5; i++)
		printf("%s %s", i == 0 ? "" : ",", json_string_value(json_array_get(names, i)));
	if (count > 5)
		printf(" and %zu more", count - 5);
	putchar('\n');
}

static void
print_lines(const json_t *lines)
{
	char count[40], bad[40], crowded[40], load[40];

	if (json_number_value(json_object_get(lines, "count")) <= 0)
		return;
	printf("lines      %s of Modbus, %s bad, %s without a connection to spare; busiest %s: %s\n",
		ask_number(count, sizeof count, lines, "count", 1, ""),
		ask_number(bad, sizeof bad, lines, "bad", 1, ""),
		ask_number(crowded, sizeof crowded, lines, "crowded", 1, ""),
		ask_text(lines, "busiest"), ask_number(load, sizeof load, lines, "load", 1, " %"));
	if (json_number_value(json_object_get(lines, "released")) > 0)
		printf("           %s left alone for a while (pollwerk pause)\n",
			ask_number(count, sizeof count, lines, "released", 1, ""));
}

/* Of a line over TLS, once less than a month is left. */
static void
print_ending(const json_t *lines, double now)
{
	const json_t *ends = json_object_get(lines, "ends");
	double left = json_number_value(ends) - now;
	char span[32];

	if (!json_is_number(ends) || left > 30 * 24 * 3600.0)
		return;
	if (left <= 0)
		printf("tls        the certificate of %s, or ours there, has expired\n",
			ask_text(lines, "ending"));
	else
		printf("tls        the certificate of %s, or ours there, expires in %s\n",
			ask_text(lines, "ending"),
			str_time_span(span, sizeof span, (int64_t)(left / 3600) * 3600 * LOOP_S));
}

/* Its first line, on stderr: a program that reads the rest need not mind. */
static void
say_refused(const json_t *refused)
{
	const char *text = json_string_value(refused);

	if (text != NULL)
		cmd_error("the newest configuration is not in force, the one before goes on: %.*s (all its mistakes: pollwerk check)",
			(int)strcspn(text, "\n"), text);
}

static void
print_status(const json_t *s)
{
	const json_t *polls = json_object_get(s, "polls"), *store = json_object_get(s, "store"),
		*snmp = json_object_get(s, "snmp");
	char span[32], a[40], b[40], c[40], d[40];
	double up = json_number_value(json_object_get(s, "time")) -
		json_number_value(json_object_get(s, "started"));

	printf("poller     %s (pollwerkd %s), running for %s\n", ask_text(s, "name"),
		ask_text(s, "version"), str_time_span(span, sizeof span, (int64_t)up * LOOP_S));
	printf("health     %s\n", ask_text(s, "health"));
	printf("devices    %s, %s down; %s points\n", ask_number(a, sizeof a, s, "devices", 1, ""),
		ask_number(b, sizeof b, s, "devices_down", 1, ""),
		ask_number(c, sizeof c, s, "series", 1, ""));
	printf("alarms     %s open\n", ask_number(a, sizeof a, s, "alarms", 1, ""));
	printf("polls      %s done, %s overruns, worst start %s late, loop held up %s at most\n",
		ask_number(a, sizeof a, polls, "finished", 1, ""),
		ask_number(b, sizeof b, polls, "overruns", 1, ""),
		ask_number(c, sizeof c, polls, "worst_start", 1000, " ms"),
		ask_number(d, sizeof d, polls, "loop_lag", 1000, " ms"));
	if (json_number_value(json_object_get(snmp, "dropped")) > 0)
		printf("datagrams  %s lost for want of receive buffer: raise net.core.rmem_max\n",
			ask_number(a, sizeof a, snmp, "dropped", 1, ""));
	print_weak(json_object_get(s, "weak"));
	printf("journal    %s\n", json_is_null(json_object_get(s, "journal")) ? "ok" :
		ask_text(s, "journal"));
	printf("clock      %s\n", json_is_string(json_object_get(s, "clock")) ?
		ask_text(s, "clock") : "ok");
	printf("store      %s", ask_text(store, "state"));
	if (strcmp(ask_text(store, "reason"), "-") != 0)
		printf(": %s", ask_text(store, "reason"));
	putchar('\n');
	print_lines(json_object_get(s, "lines"));
	print_ending(json_object_get(s, "lines"), json_number_value(json_object_get(s, "time")));
	for (size_t i = 0; i < json_array_size(json_object_get(s, "receivers")); i++) {
		const json_t *r = json_array_get(json_object_get(s, "receivers"), i);

		printf("receiver   %s (%s): %s sent, %s waiting, %s lost%s\n", ask_text(r, "name"),
			ask_text(r, "address"), ask_number(a, sizeof a, r, "done", 1, ""),
			ask_number(b, sizeof b, r, "waiting", 1, ""), ask_number(c, sizeof c, r, "lost", 1, ""),
			json_is_true(json_object_get(r, "silent")) ? ", does not answer" : "");
		if (json_is_string(json_object_get(r, "engine")))
			printf("           its user is one of engine 0x%s\n", ask_text(r, "engine"));
	}
}

static int
status(const struct cmd_context *context, int argc, char **argv)
{
	json_t *answer;
	bool ok;
	int result;

	(void)argv;
	if (argc > 1)
		return cmd_usage(&cmd_status, "no arguments, please");
	result = ask(context, "status", 5, &answer);
	if (result != CMD_OK)
		return result;
	say_refused(json_object_get(answer, "refused"));
	ok = strcmp(ask_text(answer, "health"), "ok") == 0;
	if (context->json) {
		cmd_print_json(answer);
	} else {
		print_status(answer);
		json_decref(answer);
	}
	return ok ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_status = { "status", "", "is the poller well? exit 1 when it is not", status };
