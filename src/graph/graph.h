/* graph.h - draws a picture with librrd, in a child process that may not run away.
 *
 * rrd_graph_v of librrd 1.7.2 crashes when two run in one process, and draws empty boxes
 * instead of text, without an error, where no font is installed. */
#ifndef PW_GRAPH_H
#define PW_GRAPH_H

struct fail;
struct picture;

/* Writes the file, "-" for the standard output; 0, or -1 and why. Takes at most 10 s. */
int graph_draw(const struct picture *picture, const char *output, struct fail *why);
/* -1 and why when there is no font to write with. */
int graph_check_fonts(struct fail *why);
#endif
