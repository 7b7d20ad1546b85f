#include "cli/pause.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "control/client.h"

#define AGAIN (100 * LOOP_MS)

/* Takes the request. */
static json_t *
call(const char *run_dir, json_t *request, bool *reached, struct fail *why)
{
	json_t *said = client_ask(run_dir, request, 5 * LOOP_S, why);
	const char *error = json_string_value(json_object_get(said, "error"));

	*reached = said != NULL;
	if (error == NULL)
		return said;
	fail_set(why, "%s", error);
	json_decref(said);
	return NULL;
}

json_t *
pause_look(const char *run_dir, const char *name, struct fail *why)
{
	bool reached;

	return call(run_dir, json_pack("{s:s, s:o}", "command", "pause", "name", doc_text(name)),
		&reached, why);
}

json_t *
pause_order(const char *run_dir, const char *name, int seconds, int64_t patience,
	bool *reached, struct fail *why)
{
	json_t *said = call(run_dir, json_pack("{s:s, s:o, s:i}", "command", "pause", "name",
		doc_text(name), "seconds", seconds), reached, why);
	bool released = json_is_true(json_object_get(said, "released"));

	for (; said != NULL && seconds > 0 && !released && patience > 0; patience -= AGAIN) {
		json_decref(said);
		nanosleep(&(struct timespec){ .tv_nsec = AGAIN }, NULL);
		said = pause_look(run_dir, name, why);
		released = json_is_true(json_object_get(said, "released"));
	}
	if (said == NULL || seconds == 0 || released)
		return said;
	fail_set(why, "%s: what is under way there does not end", name);
	json_decref(said);
	return NULL;
}
