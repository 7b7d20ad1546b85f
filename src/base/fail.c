#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
mark_cut(char *text, size_t size, int wanted)
{
	if (wanted >= (int)size)
		memcpy(text + size - 4, "...", 4);
}

void
fail_set(struct fail *why, const char *format, ...)
{
	va_list args;

	if (why == NULL)
		return;
	va_start(args, format);
	mark_cut(why->text, sizeof why->text,
		vsnprintf(why->text, sizeof why->text, format, args));
	va_end(args);
}

void
fail_prefix(struct fail *why, const char *format, ...)
{
	char prefix[256];
	struct fail old;
	va_list args;

	if (why == NULL)
		return;
	old = *why;
	va_start(args, format);
	vsnprintf(prefix, sizeof prefix, format, args);
	va_end(args);
	fail_set(why, "%s: %s", prefix, old.text);
}
