/* csv.h - lists as spreadsheets write them, made into text of the configuration's own language.
 *
 * A vendor's list of registers becomes points, a plant's list of devices becomes devices. CSV:
 * a header row that names keys, then one entry a row. Separator ';' or ',', as the header has
 * it; decimal comma or point; UTF-8 with or without a byte order mark, else taken for
 * Windows-1252; lines end in LF or CR LF. Each entry stands in the line of its row, so that all
 * that is checked and told of points and devices is so of these. Pure: text in, text out. */
#ifndef PW_CSV_H
#define PW_CSV_H

struct bundle_file;
struct conf_errors;

/* "points = ( .. );" for the list; the caller's to free. NULL when something is wrong, which
 * is reported at list.csv:line. */
char *csv_points(const struct bundle_file *list, struct conf_errors *errors);
/* "devices = ( .. );" likewise. A heading may name a key inside a group of the device:
 * snmp.community, modbus.unit_id, parameters.ct, rows.if.include. */
char *csv_devices(const struct bundle_file *list, struct conf_errors *errors);
#endif
