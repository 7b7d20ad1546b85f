/* The directories alone, out of a text that need not be right as a whole. */
#include "config/conf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "config/bundle.h"
#include "config/schema.h"

static const char *
skip_comment(const char *at)
{
	if (at[0] == '#' || (at[0] == '/' && at[1] == '/'))
		return at + strcspn(at, "\n");
	if (at[0] == '/' && at[1] == '*') {
		const char *end = strstr(at + 2, "*/");

		return end != NULL ? end + 2 : at + strlen(at);
	}
	return at;
}

static const char *
skip_text(const char *at)
{
	for (at++; *at != '\0' && *at != '"'; at++)
		if (*at == '\\' && at[1] != '\0')
			at++;
	return *at == '"' ? at + 1 : at;
}

static bool
takes_name(int c)
{
	return isalnum(c) || c == '_' || c == '-' || c == '*';
}

/* at: behind the key. Copies what stands there as `= "..."`, if it is an absolute path: true. */
static bool
take_path(const char *at, char *to, size_t size)
{
	char path[512];
	size_t used = 0;

	at += strspn(at, " \t\r\n");
	if (*at != '=' && *at != ':')
		return false;
	at++;
	at += strspn(at, " \t\r\n");
	if (at[0] != '"' || at[1] != '/')
		return false;
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (*at == '\0' || used + 1 >= sizeof path)
			return false;
		path[used++] = *at;
	}
	path[used] = '\0';
	str_copy(to, size, path);
	return true;
}

static bool
is_key(const char *key, const char *at, size_t length)
{
	return strlen(key) == length && strncmp(key, at, length) == 0;
}

static void
scan(const char *at, struct conf_places *places)
{
	const struct {
		const char *key;
		char *to;
	} wanted[] = { { "state_dir", places->state_dir }, { "rrd_dir", places->rrd_dir },
		{ "run_dir", places->run_dir } };
	bool includes = false, says = false;

	while (*at != '\0') {
		const char *begin = at;

		at = skip_comment(at);
		if (at != begin)
			continue;
		if (*at == '"') {
			at = skip_text(at);
			continue;
		}
		while (takes_name((unsigned char)*at))
			at++;
		for (size_t i = 0; i < 3 && at != begin; i++)
			if (is_key(wanted[i].key, begin, (size_t)(at - begin)) &&
				take_path(at, wanted[i].to, sizeof places->state_dir))
				says = says || wanted[i].to == places->run_dir;
		includes = includes || is_key("include", begin, (size_t)(at - begin));
		if (at == begin)
			at++;
	}
	places->sure = says || !includes;
}

int
conf_places(const char *path, struct conf_places *places, struct fail *why)
{
	size_t size;
	char *text = bundle_read(path, BUNDLE_MAIN, &size, why);

	if (text == NULL) {
		fail_prefix(why, "%s", path);
		return -1;
	}
	text[size] = '\0';
	*places = (struct conf_places){ .rrd_dir = "" };
	str_copy(places->state_dir, sizeof places->state_dir,
		schema_find("poller", "state_dir")->fallback);
	str_copy(places->run_dir, sizeof places->run_dir,
		schema_find("poller", "run_dir")->fallback);
	scan(text, places);
	free(text);
	if (places->rrd_dir[0] == '\0' && snprintf(places->rrd_dir, sizeof places->rrd_dir,
		"%s/rrd", places->state_dir) >= (int)sizeof places->rrd_dir) {
		fail_set(why, "%s: state_dir is too long", path);
		return -1;
	}
	return 0;
}
