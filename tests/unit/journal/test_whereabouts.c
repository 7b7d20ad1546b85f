/* What a role was inside of when it ended, told to the next one. */
#include "../check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../scratch.h"
#include "journal/whereabouts.h"

static const int faults[] = { SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL };
enum { FAULTS = sizeof faults / sizeof *faults };

/* A store that ends by this signal inside the update of a file. */
static void
end_by(int number, const char *file)
{
	static const struct rlimit none = { 0, 0 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		for (int i = 0; i < FAULTS; i++)
			signal(faults[i], SIG_DFL); /* cmocka catches them */
		setrlimit(RLIMIT_CORE, &none);
		whereabouts_open(scratch);
		whereabouts_begin(WHERE_STORE);
		whereabouts_watch_faults(WHERE_STORE);
		whereabouts_enter_file(file);
		if (number == SIGABRT)
			abort();
		raise(number);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0); /* a sanitizer exits */
}

static const char *
died_at(unsigned *times)
{
	whereabouts_open(scratch);
	whereabouts_begin(WHERE_STORE);
	return whereabouts_died_at(times);
}

static void
a_fault_inside_an_update_counts_against_the_file(void)
{
	unsigned times = 0;

	for (int i = 0; i < FAULTS; i++) {
		scratch_make();
		end_by(faults[i], "d/one.rrd");
		CHECK_STR(died_at(&times), "d/one.rrd");
		CHECK_INT(times, 1);
		whereabouts_close();
		scratch_remove();
	}
}

static void
a_kill_from_outside_does_not(void)
{
	unsigned times = 0;

	scratch_make();
	for (int i = 0; i < 5; i++)
		end_by(SIGKILL, "d/one.rrd");
	CHECK(died_at(&times) == NULL);
	whereabouts_close();
	/* Nor does it take back what counts already. */
	end_by(SIGBUS, "d/one.rrd");
	end_by(SIGKILL, "d/one.rrd");
	end_by(SIGBUS, "d/one.rrd");
	CHECK_STR(died_at(&times), "d/one.rrd");
	CHECK_INT(times, 2);
	whereabouts_close();
	scratch_remove();
}

static void
an_update_that_came_back_takes_the_suspicion_away(void)
{
	unsigned times = 0;

	scratch_make();
	end_by(SIGBUS, "d/one.rrd");
	end_by(SIGBUS, "d/one.rrd");
	CHECK_STR(died_at(&times), "d/one.rrd");
	CHECK_INT(times, 2);
	whereabouts_enter_file("d/one.rrd");
	whereabouts_leave_file();
	whereabouts_close();
	end_by(SIGBUS, "d/one.rrd");
	CHECK_STR(died_at(&times), "d/one.rrd");
	CHECK_INT(times, 1);
	whereabouts_close();
	scratch_remove();
}

RUN_TESTS(TEST(a_fault_inside_an_update_counts_against_the_file),
	TEST(a_kill_from_outside_does_not),
	TEST(an_update_that_came_back_takes_the_suspicion_away))
