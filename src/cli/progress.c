#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/str.h"

#define BAR 24

static int64_t
mono_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * LOOP_S + now.tv_nsec;
}

void
progress_begin(struct progress *progress, const char *what)
{
	*progress = (struct progress){ .what = what, .noun = "files", .terminal = isatty(STDERR_FILENO) == 1,
		.began = mono_now() };
	progress->next = progress->began + (progress->terminal ? LOOP_S / 5 : 10 * LOOP_S);
}

static void
draw(const struct progress *progress, double share, const char *text)
{
	char bar[BAR + 1];
	int full = (int)(share * BAR);

	memset(bar, '.', BAR);
	memset(bar, '#', (size_t)full);
	bar[BAR] = '\0';
	fprintf(stderr, "\r%s [%s] %3d %%  %s\033[K", progress->what, bar, (int)(share * 100), text);
	fflush(stderr);
}

/* Not more often than people can read. */
static bool
is_time(struct progress *progress)
{
	int64_t now = mono_now();

	if (now < progress->next)
		return false;
	progress->next = now + (progress->terminal ? LOOP_S / 5 : 10 * LOOP_S);
	return true;
}

static void
show(const struct progress *progress, double share, const char *text)
{
	if (progress->terminal)
		draw(progress, share, text);
	else
		fprintf(stderr, "%s: %d %%, %s\n", progress->what, (int)(share * 100), text);
}

void
progress_show(struct progress *progress, double share, const char *text)
{
	if (is_time(progress))
		show(progress, share > 1 ? 1 : share, text);
}

void
progress_step(struct progress *progress, uint64_t files, uint64_t all_files, int64_t bytes,
	int64_t all_bytes)
{
	int64_t left;
	double share = all_bytes > 0 ? (double)bytes / (double)all_bytes :
		all_files > 0 ? (double)files / (double)all_files : 0;
	char text[200], size[40] = "", span[32] = "";

	if (!is_time(progress))
		return;
	share = share > 1 ? 1 : share;
	left = share > 0.01 ?
		(int64_t)((double)(mono_now() - progress->began) * (1 - share) / share) : 0;
	if (left > LOOP_S)
		str_time_span(span, sizeof span, left / LOOP_S * LOOP_S);
	if (bytes > 0 || all_bytes > 0)
		snprintf(size, sizeof size, ", %lld MB", (long long)(bytes >> 20));
	snprintf(text, sizeof text, "%llu of %llu %s%s%s%s%s", (unsigned long long)files,
		(unsigned long long)all_files, progress->noun, size, *span != '\0' ? ", " : "",
		span, *span != '\0' ? " left" : "");
	show(progress, share, text);
}

void
progress_clear(const struct progress *progress)
{
	if (progress->terminal)
		fputs("\r\033[K", stderr);
}

double
progress_seconds(const struct progress *progress)
{
	return (double)(mono_now() - progress->began) / 1e9;
}
