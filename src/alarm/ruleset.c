#include "alarm/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "alarm/rule.h"
#include "base/mem.h"

/* The length of the device name that the glob begins with; 0: it may be any device. */
static size_t
device_part(const char *glob)
{
	size_t length = strcspn(glob, "*?/");

	return glob[length] == '/' ? length : 0;
}

static int
compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t common = a_length < b_length ? a_length : b_length;
	int order = memcmp(a, b, common);

	return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int
compare_rules(const void *a, const void *b)
{
	const struct rule_options *one = *(const struct rule_options *const *)a;
	const struct rule_options *other = *(const struct rule_options *const *)b;
	int order = compare_names(one->on, device_part(one->on), other->on,
		device_part(other->on));

	/* As they stand in the files, where the device is the same. */
	return order != 0 ? order : (one > other) - (one < other);
}

void
ruleset_open(struct ruleset *set, const struct rule_options *rules, size_t count)
{
	*set = (struct ruleset){ .rules = mem_array(count, sizeof *set->rules), .count = count };
	for (size_t i = 0; i < count; i++)
		set->rules[i] = &rules[i];
	qsort(set->rules, count, sizeof *set->rules, compare_rules);
	while (set->general < count && device_part(set->rules[set->general]->on) == 0)
		set->general++;
}

void
ruleset_close(struct ruleset *set)
{
	free(set->rules);
	*set = (struct ruleset){ .rules = NULL };
}

size_t
ruleset_of(const struct ruleset *set, const char *device,
	const struct rule_options *const **first)
{
	size_t length = strlen(device), low = set->general, high = set->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *on = set->rules[middle]->on;

		if (compare_names(on, device_part(on), device, length) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < set->count; end++) {
		const char *on = set->rules[end]->on;

		if (compare_names(on, device_part(on), device, length) != 0)
			break;
	}
	*first = (const struct rule_options *const *)set->rules + low;
	return end - low;
}
