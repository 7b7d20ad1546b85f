/* picture.h - what a graph shows, and the argument list for librrd that says so. Pure.
 *
 * in_octets and out_octets of one row become the traffic picture every network engineer
 * knows: in green above, out blue below, in bit/s. States are steps, all else is a line with
 * the span between MIN and MAX behind it where a pixel holds several samples. Gaps stay
 * gaps, and a threshold is always in sight, however far away the values are. Only names of our own making stand in DEF and CDEF; texts are escaped. */
#ifndef PW_PICTURE_H
#define PW_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct series;

#define PICTURE_SERIES 12

struct picture_limit { /* a threshold to be drawn in */
	const char *name;
	double limit, clear;
	size_t series; /* index of the one that is held against it */
};
struct picture {
	const struct series *series[PICTURE_SERIES];
	const char *files[PICTURE_SERIES]; /* whole paths of the RRDs */
	size_t count;
	const struct picture_limit *limits;
	size_t limit_count;
	int64_t from, to;   /* wall ns */
	int width, height;  /* of the canvas, in pixels */
	const char *title;  /* NULL: made of the series */
	bool svg, dark;
};

/* argv for rrd_graph_v, argv[0] "graph", then the output file; NULL-ended; free it with
 * picture_free_arguments. */
char **picture_arguments(const struct picture *picture, const char *output, int *count);
void picture_free_arguments(char **arguments);

/* ':' and '\' mean something to librrd in texts: they get a '\' before them. */
const char *picture_escape(char *to, size_t size, const char *text);
#endif
