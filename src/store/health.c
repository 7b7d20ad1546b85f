#include "store/health.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"

#define PATH_SIZE 512

struct number {
	const char *key;
	size_t offset;
};
static const struct number numbers[] = {
	{ "rows", offsetof(struct store_health, rows) },
	{ "files", offsetof(struct store_health, files) },
	{ "updates", offsetof(struct store_health, updates) },
	{ "errors", offsetof(struct store_health, errors) },
	{ "quarantined", offsetof(struct store_health, quarantined) },
	{ "locked", offsetof(struct store_health, locked) },
	{ "damaged", offsetof(struct store_health, damaged) },
	{ "given_up", offsetof(struct store_health, given_up) },
	{ "time", offsetof(struct store_health, time) },
};
#define NUMBERS (sizeof numbers / sizeof numbers[0])

int
store_health_write(const char *run_dir, const struct store_health *health)
{
	char path[PATH_SIZE], temporary[PATH_SIZE], lag[40];
	FILE *file;

	snprintf(path, sizeof path, "%s/store.health", run_dir);
	snprintf(temporary, sizeof temporary, "%s/store.health.new", run_dir);
	file = fopen(temporary, "we");
	if (file == NULL)
		return -1;
	fprintf(file, "state=%s\nreason=%s\nlag=%s\n", health->degraded ? "degraded" : "ok",
		health->reason, str_number(lag, sizeof lag, health->lag));
	for (size_t i = 0; i < NUMBERS; i++) {
		uint64_t value;

		memcpy(&value, (const char *)health + numbers[i].offset, sizeof value);
		fprintf(file, "%s=%llu\n", numbers[i].key, (unsigned long long)value);
	}
	return fclose(file) == 0 && rename(temporary, path) == 0 ? 0 : -1;
}

static void
take_line(struct store_health *health, const char *key, const char *text)
{
	uint64_t value;

	if (strcmp(key, "state") == 0)
		health->degraded = strcmp(text, "ok") != 0;
	else if (strcmp(key, "reason") == 0)
		str_copy(health->reason, sizeof health->reason, text);
	else if (strcmp(key, "lag") == 0)
		str_double(text, &health->lag, NULL);
	for (size_t i = 0; i < NUMBERS; i++)
		if (strcmp(key, numbers[i].key) == 0 && str_uint(text, &value, NULL) == 0)
			memcpy((char *)health + numbers[i].offset, &value, sizeof value);
}

int
store_health_read(const char *run_dir, struct store_health *health, struct fail *why)
{
	char path[PATH_SIZE], line[600];
	FILE *file;

	*health = (struct store_health){ .degraded = true };
	snprintf(path, sizeof path, "%s/store.health", run_dir);
	file = fopen(path, "re");
	if (file == NULL) {
		fail_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof line, file) != NULL) {
		char *value = strchr(line, '=');

		if (value == NULL)
			continue;
		*value++ = '\0';
		value[strcspn(value, "\n")] = '\0';
		take_line(health, line, value);
	}
	fclose(file);
	return 0;
}
