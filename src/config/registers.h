/* registers.h - a vendor's list of registers, as spreadsheets write it, made into points.
 *
 * CSV: a header row that names keys of a point, then one point a row. Separator ';' or ',', as
 * the header has it; decimal comma or point; UTF-8 with or without a byte order mark, else
 * taken for Windows-1252; lines end in LF or CR LF. The points come out as text in the
 * configuration's own language, each in the line of its row, so that all that is checked
 * and told of points is so of these. Pure: text in, text out. */
#ifndef PW_REGISTERS_H
#define PW_REGISTERS_H

struct bundle_file;
struct conf_errors;

/* "points = ( .. );" for the list; the caller's to free. NULL when something is wrong, which
 * is reported at list.csv:line. */
char *registers_points(const struct bundle_file *list, struct conf_errors *errors);
#endif
