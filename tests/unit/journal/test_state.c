#include "../check.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../scratch.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "journal/state.h"

static void
facts_survive_whatever_text_they_hold(void)
{
	static const char key[] = "sw 3/if\twith tab", value[] = "a\\b\nc\rd=\xc3\xbc";
	struct loop *loop = loop_new(NULL);
	struct state *state;

	scratch_make();
	state = state_open(loop, scratch_path("rows"), NULL);
	CHECK(state != NULL && state_get(state, key) == NULL);
	state_set(state, key, value);
	state_set(state, "gone", "1");
	state_set(state, "gone", NULL);
	state_save(state);
	loop_sim_for(loop, LOOP_S);
	CHECK(access(scratch_path("rows"), R_OK) == 0);
	CHECK(access(scratch_path("rows.new"), R_OK) == -1);
	state_set(state, "late", "");
	CHECK(state_close(state));
	state = state_open(loop, scratch_path("rows"), NULL);
	CHECK_STR(state_get(state, key), value);
	CHECK_STR(state_get(state, "late"), "");
	CHECK(state_get(state, "gone") == NULL);
	CHECK(state_close(state));
	loop_free(loop);
	scratch_remove();
}

static void
tell_uptime(struct state_file *file, void *arg)
{
	char text[8];

	snprintf(text, sizeof text, "%d", *(int *)arg);
	state_put(file, "sw-1\tuptime", text);
}

static void
what_is_told_when_it_is_saved_stands_in_the_file_and_is_taken_out_of_it(void)
{
	struct loop *loop = loop_new(NULL);
	struct state *state;
	int ticks = 7;
	char text[8] = "-";

	scratch_make();
	state = state_open(loop, scratch_path("rows"), NULL);
	state_on_save(state, tell_uptime, &ticks);
	state_set(state, "map", "1");
	ticks = 8;
	CHECK(state_close(state));
	state = state_open(loop, scratch_path("rows"), NULL);
	CHECK(!state_take(state, "sw-1\tuptime", text, 1));
	CHECK(state_take(state, "sw-1\tuptime", text, sizeof text));
	CHECK_STR(text, "8");
	CHECK(!state_take(state, "sw-1\tuptime", text, sizeof text));
	CHECK_STR(state_get(state, "map"), "1");
	CHECK(state_saved(state));
	state_touch(state);
	CHECK(!state_saved(state));
	/* Nobody tells it any more. */
	CHECK(state_close(state));
	state = state_open(loop, scratch_path("rows"), NULL);
	CHECK(state_get(state, "sw-1\tuptime") == NULL);
	CHECK(state_close(state));
	loop_free(loop);
	scratch_remove();
}

static void
count_lines(char level, const char *line, void *arg)
{
	unsigned *lines = arg;

	(void)line;
	if (level == 'W' || level == 'E')
		++*lines;
}

static void
a_damaged_line_is_left_out_and_the_others_stay(void)
{
	struct loop *loop = loop_new(NULL);
	struct state *state;
	unsigned lines = 0;
	FILE *file;

	scratch_make();
	file = fopen(scratch_path("rows"), "w");
	fputs("a\t1\nno tab here\nb\t2\\\nc\t3\n", file);
	fclose(file);
	log_catch(count_lines, &lines);
	state = state_open(loop, scratch_path("rows"), NULL);
	log_catch(NULL, NULL);
	CHECK_INT(lines, 2);
	CHECK_STR(state_get(state, "a"), "1");
	CHECK_STR(state_get(state, "c"), "3");
	CHECK(state_get(state, "b") == NULL);
	CHECK(state_close(state));
	loop_free(loop);
	scratch_remove();
}

static void
a_disk_that_refuses_is_logged_once_and_the_facts_are_saved_when_it_takes_again(void)
{
	struct loop *loop = loop_new(NULL);
	struct state *state;
	unsigned lines = 0;

	scratch_make();
	state = state_open(loop, scratch_path("missing/rows"), NULL);
	log_catch(count_lines, &lines);
	state_set(state, "a", "1");
	state_save(state);
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(lines, 1);
	CHECK(mkdir(scratch_path("missing"), 0700) == 0);
	loop_sim_for(loop, 11 * LOOP_S);
	log_catch(NULL, NULL);
	CHECK(access(scratch_path("missing/rows"), R_OK) == 0);
	CHECK(state_close(state));
	loop_free(loop);
	scratch_remove();
}

static void
a_second_daemon_is_told_who_holds_the_folder(void)
{
	struct fail why;
	char wanted[400];
	int fd, status;
	pid_t child;

	scratch_make();
	fd = state_lock(scratch, &why);
	CHECK(fd >= 0);
	snprintf(wanted, sizeof wanted, "%s: in use by another pollwerkd (pid %ld)", scratch,
		(long)getpid());
	child = fork();
	if (child == 0)
		_exit(state_lock(scratch, &why) == -1 && strcmp(why.text, wanted) == 0 ? 7 : 1);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
	close(fd);
	fd = state_lock(scratch, &why);
	CHECK(fd >= 0);
	close(fd);
	scratch_remove();
}

/* Its children hold the lock for as long as they write. */
static void
the_children_of_a_daemon_that_was_killed_are_waited_for(void)
{
	struct fail why;
	unsigned lines = 0;
	int fd, status;
	pid_t daemon;

	scratch_make();
	daemon = fork();
	if (daemon == 0) {
		if (state_lock(scratch, &why) == -1 || fork() != 0)
			_exit(0);
		nanosleep(&(struct timespec){ .tv_nsec = 300 * LOOP_MS }, NULL);
		_exit(0);
	}
	CHECK(waitpid(daemon, &status, 0) == daemon);
	log_catch(count_lines, &lines);
	fd = state_lock(scratch, &why);
	log_catch(NULL, NULL);
	CHECK(fd >= 0);
	close(fd);
	scratch_remove();
}

RUN_TESTS(TEST(facts_survive_whatever_text_they_hold),
	TEST(what_is_told_when_it_is_saved_stands_in_the_file_and_is_taken_out_of_it),
	TEST(a_damaged_line_is_left_out_and_the_others_stay),
	TEST(a_disk_that_refuses_is_logged_once_and_the_facts_are_saved_when_it_takes_again),
	TEST(a_second_daemon_is_told_who_holds_the_folder),
	TEST(the_children_of_a_daemon_that_was_killed_are_waited_for))
