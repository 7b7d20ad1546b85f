#include "graph/picture.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"

struct arguments {
	char **list;
	int count, room;
};

static void add(struct arguments *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct arguments *a, const char *format, ...)
{
	va_list args;

	if (a->count + 2 > a->room) {
		a->room = a->room * 2 + 64;
		a->list = mem_grow(a->list, (size_t)a->room, sizeof(char *));
	}
	va_start(args, format);
	if (vasprintf(&a->list[a->count], format, args) < 0)
		abort();
	va_end(args);
	a->list[++a->count] = NULL;
}

const char *
picture_escape(char *to, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text != '\0' && used + 3 < size; text++) {
		if (*text == ':' || *text == '\\')
			to[used++] = '\\';
		to[used++] = *text;
	}
	to[used] = '\0';
	return to;
}

/* In a format of GPRINT a '%' would be a conversion. */
static const char *
escape_format(char *to, size_t size, const char *text)
{
	picture_escape(to, size / 2, text);
	for (size_t i = strlen(to); i-- > 0;)
		if (to[i] == '%')
			memmove(to + i + 1, to + i, strlen(to + i) + 1);
	return to;
}

/* Readable on white and on dark, and told apart by people who do not see red and green. */
static const char *const colours[] = {
	"2e7d32", "1565c0", "ef6c00", "6a1b9a", "00838f", "ad1457", "5d4037", "455a64",
	"9e9d24", "283593", "00695c", "bf360c"
};

static const char *
point_of(const struct series *series)
{
	return strrchr(series->path, '/') + 1;
}

/* Both ends of one port: the path up to the last '/' is the same. */
static bool
is_traffic(const struct picture *p)
{
	size_t length;

	if (p->count != 2)
		return false;
	length = (size_t)(point_of(p->series[0]) - p->series[0]->path);
	return strncmp(p->series[0]->path, p->series[1]->path, length) == 0 &&
		strcmp(point_of(p->series[0]), "in_octets") == 0 &&
		strcmp(point_of(p->series[1]), "out_octets") == 0;
}

static void
add_def(struct arguments *a, const struct picture *p, size_t i, const char *name,
	const char *function)
{
	char file[1200];

	add(a, "DEF:%s%zu=%s:%s:%s", name, i, picture_escape(file, sizeof file, p->files[i]),
		p->series[i]->ds, function);
}

/* peaks: where the greatest value is looked for. */
static void
add_numbers(struct arguments *a, const char *source, const char *peaks, const char *format)
{
	add(a, "VDEF:%sl=%s,LAST", source, source);
	add(a, "VDEF:%sv=%s,AVERAGE", source, source);
	add(a, "VDEF:%sm=%s,MAXIMUM", source, peaks);
	add(a, "GPRINT:%sl:last %s", source, format);
	add(a, "GPRINT:%sv:avg %s", source, format);
	add(a, "GPRINT:%sm:max %s\\l", source, format);
}

/* Where a pixel holds one sample there is nothing between MIN and MAX. */
static bool
wants_span(const struct picture *p, const struct series *series)
{
	return series->kind != POINT_STATE && series->step > 0 &&
		(p->to - p->from) / series->step > 2 * (int64_t)p->width;
}

static void
add_traffic(struct arguments *a, const struct picture *p)
{
	add_def(a, p, 0, "i", "AVERAGE");
	add_def(a, p, 1, "o", "AVERAGE");
	add_def(a, p, 0, "x", "MAX");
	add_def(a, p, 1, "x", "MAX");
	add(a, "CDEF:in=i0,8,*");
	add(a, "CDEF:out=o1,8,*");
	add(a, "CDEF:inmax=x0,8,*");
	add(a, "CDEF:outmax=x1,8,*");
	add(a, "CDEF:below=out,-1,*");
	add(a, "CDEF:belowmax=outmax,-1,*");
	add(a, "AREA:in#2e7d3266");
	add(a, "LINE1:in#2e7d32:in ");
	add_numbers(a, "in", "inmax", "%6.2lf%sbit/s");
	add(a, "AREA:below#1565c066");
	add(a, "LINE1:below#1565c0:out");
	add_numbers(a, "out", "outmax", "%6.2lf%sbit/s");
	/* Over a week an average alone hides the bursts. */
	if (wants_span(p, p->series[0])) {
		add(a, "LINE1:inmax#2e7d3266");
		add(a, "LINE1:belowmax#1565c066");
	}
	add(a, "VDEF:p95=in,95,PERCENTNAN");
	add(a, "LINE1:p95#ef6c00:95th percentile in:dashes=4,4");
	add(a, "GPRINT:p95:%%6.2lf%%sbit/s\\l");
	add(a, "HRULE:0#888888");
}

static void
add_series(struct arguments *a, const struct picture *p, size_t i)
{
	const struct series *s = p->series[i];
	const char *colour = colours[i % 12];
	char name[300], unit[64], source[24], peaks[24], format[100];

	add_def(a, p, i, "x", "MAX");
	if (wants_span(p, s)) {
		add_def(a, p, i, "n", "MIN");
		add(a, "CDEF:d%zu=x%zu,n%zu,-", i, i, i);
		add(a, "AREA:n%zu", i);
		add(a, "AREA:d%zu#%s40::STACK", i, colour);
	}
	/* Half of a state is none: the greatest of the pixel stands for it. */
	add_def(a, p, i, "a", s->kind == POINT_STATE ? "MAX" : "AVERAGE");
	add(a, "LINE%s:a%zu#%s:%-28s", s->kind == POINT_STATE ? "2" : "1.5", i, colour,
		picture_escape(name, sizeof name, p->count == 1 ? point_of(s) : s->path));
	snprintf(source, sizeof source, "a%zu", i);
	snprintf(peaks, sizeof peaks, "x%zu", i);
	snprintf(format, sizeof format, "%%8.2lf%%s%s",
		escape_format(unit, sizeof unit, s->unit));
	add_numbers(a, source, peaks, format);
}

/* A dashed LINE of a constant, not an HRULE: librrd leaves out an HRULE beyond the values. */
static void
add_limit(struct arguments *a, const struct picture *p, const struct picture_limit *limit,
	bool traffic)
{
	double factor = !traffic ? 1 : limit->series == 0 ? 8 : -8;
	const char *unit = traffic ? "bit/s" : p->series[limit->series]->unit;
	char at[40], value[40], name[128], safe_unit[64];

	picture_escape(name, sizeof name, limit->name);
	picture_escape(safe_unit, sizeof safe_unit, unit);
	add(a, "LINE1:%s#c62828:%s at %s %s:dashes=6,3",
		str_number(at, sizeof at, limit->limit * factor), name,
		str_number(value, sizeof value, limit->limit * fabs(factor)), safe_unit);
	if (limit->clear != limit->limit)
		add(a, "LINE1:%s#ef9a9a:clears at %s %s\\l:dashes=2,4",
			str_number(at, sizeof at, limit->clear * factor),
			str_number(value, sizeof value, limit->clear * fabs(factor)), safe_unit);
	else
		add(a, "COMMENT:\\l");
}

/* One rule over several points of one picture is one line. */
static bool
is_drawn(const struct picture *p, size_t i, bool traffic)
{
	for (size_t k = 0; k < i; k++)
		if (!traffic && strcmp(p->limits[k].name, p->limits[i].name) == 0 &&
			p->limits[k].limit == p->limits[i].limit)
			return true;
	return false;
}

static void
add_limits(struct arguments *a, const struct picture *p, bool traffic)
{
	for (size_t i = 0; i < p->limit_count; i++)
		if (!is_drawn(p, i, traffic))
			add_limit(a, p, &p->limits[i], traffic);
}

/* The device, or how many points when they are of several. */
static void
name_points(char *to, size_t size, const struct picture *p)
{
	const char *path = p->series[0]->path;
	int device = (int)(strchr(path, '/') - path) + 1;

	snprintf(to, size, "%.*s", device - 1, path);
	for (size_t i = 1; i < p->count; i++)
		if (strncmp(p->series[i]->path, path, (size_t)device) != 0)
			snprintf(to, size, "%zu points", p->count);
}

/* What the axis counts; nothing when the points differ. Each has its unit in the legend. */
static const char *
common_unit(const struct picture *p)
{
	for (size_t i = 1; i < p->count; i++)
		if (strcmp(p->series[i]->unit, p->series[0]->unit) != 0)
			return "";
	return p->series[0]->unit;
}

static void
add_title(struct arguments *a, const struct picture *p, bool traffic)
{
	char title[300];
	const char *path = p->series[0]->path;

	if (p->title != NULL)
		str_copy(title, sizeof title, p->title);
	else if (traffic)
		snprintf(title, sizeof title, "%.*s traffic",
			(int)(point_of(p->series[0]) - 1 - path), path);
	else if (p->count == 1)
		str_copy(title, sizeof title, path);
	else
		name_points(title, sizeof title, p);
	add(a, "--title");
	add(a, "%s", title);
	add(a, "--vertical-label");
	add(a, "%s", traffic ? "bit/s   out | in" : common_unit(p));
}

static void
add_frame(struct arguments *a, const struct picture *p)
{
	static const char *const dark[] = { "BACK#1e1e1e", "CANVAS#121212", "FONT#e0e0e0",
		"GRID#444444", "MGRID#666666", "AXIS#aaaaaa", "ARROW#aaaaaa", "FRAME#1e1e1e", NULL };

	add(a, "--start");
	add(a, "%lld", (long long)(p->from / 1000000000));
	add(a, "--end");
	add(a, "%lld", (long long)(p->to / 1000000000));
	add(a, "--width");
	add(a, "%d", p->width);
	add(a, "--height");
	add(a, "%d", p->height);
	add(a, "--imgformat");
	add(a, "%s", p->svg ? "SVG" : "PNG");
	add(a, "--border");
	add(a, "0");
	for (int i = 0; p->dark && dark[i] != NULL; i++) {
		add(a, "--color");
		add(a, "%s", dark[i]);
	}
}

static void
add_stamp(struct arguments *a, const struct picture *p)
{
	time_t seconds = (time_t)(p->to / 1000000000);
	struct tm local;
	char stamp[64], safe[80];

	localtime_r(&seconds, &local);
	strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S %Z", &local);
	add(a, "COMMENT:up to %s\\r", picture_escape(safe, sizeof safe, stamp));
}

char **
picture_arguments(const struct picture *picture, const char *output, int *count)
{
	struct arguments a = { NULL, 0, 0 };
	bool traffic = is_traffic(picture);

	add(&a, "graph");
	add(&a, "%s", output);
	add_frame(&a, picture);
	add_title(&a, picture, traffic);
	/* A blank line in the legend keeps the numbers off the time axis. */
	add(&a, "COMMENT:\\s");
	if (traffic)
		add_traffic(&a, picture);
	else
		for (size_t i = 0; i < picture->count; i++)
			add_series(&a, picture, i);
	add_limits(&a, picture, traffic);
	add_stamp(&a, picture);
	*count = a.count;
	return a.list;
}

void
picture_free_arguments(char **arguments)
{
	for (char **a = arguments; a != NULL && *a != NULL; a++)
		free(*a);
	free(arguments);
}
