/* The commissioning record of adopt, as CSV and HTML. */
#include <string.h>

#include "cli/adopt.h"
#include "core/point.h"
#include "modbus/modbus.h"

/* RFC 4180. A text that begins like a formula gets an apostrophe: spreadsheets compute what
 * begins with = + - @, tab or CR, and these texts come from devices. Numbers are no texts. */
static void
csv_text(FILE *to, const char *text)
{
	fputc('"', to);
	if (text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL)
		fputc('\'', to);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
	}
	fputc('"', to);
}

static bool
is_text(const struct adopt_row *row)
{
	const struct modbus_point *wire = row->point->wire;

	return wire->function > 2 && wire->spec.type == REGS_STRING;
}

static void
csv_value(FILE *to, const struct adopt_row *row, const char *value)
{
	if (is_text(row))
		csv_text(to, value);
	else
		fputs(value, to);
}

static void
say_way(char *to, size_t size, const struct adopt_row *row, const struct adopt_way *way)
{
	const struct modbus_point *wire = row->point->wire;

	if (way->base == 0)
		snprintf(to, size, "order %s", way->order);
	else if (strcmp(way->order, row->order) == 0)
		snprintf(to, size, "pdu %d", wire->pdu + way->base);
	else
		snprintf(to, size, "pdu %d, order %s", wire->pdu + way->base, way->order);
}

static void
csv_row(FILE *to, const struct adopt_row *row)
{
	const struct modbus_point *wire = row->point->wire;
	const struct adopt_way *way = row->proposal == -1 ? NULL : &row->ways[row->proposal];
	char proposal[64] = "";

	if (way != NULL)
		say_way(proposal, sizeof proposal, row, way);
	csv_text(to, row->point->name);
	fprintf(to, ";%u;%u;%s;%s;%s;", wire->function, wire->pdu, regs_type_name(wire->spec.type),
		row->order, row->raw);
	csv_value(to, row, row->value);
	fputc(';', to);
	csv_text(to, row->point->unit);
	fprintf(to, ";%s;", adopt_verdict_word(row->verdict));
	csv_text(to, row->why);
	fprintf(to, ";%s;", proposal);
	if (way != NULL)
		csv_value(to, row, way->value);
	fprintf(to, ";%zu;", row->way_count);
	csv_text(to, row->point->text);
	fputs("\r\n", to);
}

void
adopt_write_csv(FILE *to, const struct adopt_head *head, const struct adopt_result *result)
{
	(void)head;
	fputs("name;function;pdu;type;order;registers;value;unit;verdict;why;proposal;"
		"proposed value;plausible ways;text\r\n", to);
	for (size_t i = 0; i < result->count; i++)
		csv_row(to, &result->rows[i]);
}

static void
html_text(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
		}
	}
}

static void
cell(FILE *to, const char *text)
{
	fputs("<td>", to);
	html_text(to, text);
	fputs("</td>", to);
}

static void
fact(FILE *to, const char *name, const char *text)
{
	fprintf(to, "<tr><th>%s</th>", name);
	cell(to, text);
	fputs("</tr>\n", to);
}

static void
html_row(FILE *to, const struct adopt_row *row)
{
	const struct modbus_point *wire = row->point->wire;
	const char *verdict = adopt_verdict_word(row->verdict);
	char text[REGS_TEXT_MAX + 80] = "", way[64];

	fprintf(to, "<tr class=\"%s\">", verdict);
	cell(to, row->point->name);
	fprintf(to, "<td>%u</td><td>%u</td><td>%s</td><td>%s</td><td>%s</td>", wire->function,
		wire->pdu, regs_type_name(wire->spec.type), row->order, row->raw);
	cell(to, row->value);
	cell(to, row->point->unit);
	fprintf(to, "<td>%s</td>", verdict);
	if (row->proposal != -1) {
		say_way(way, sizeof way, row, &row->ways[row->proposal]);
		snprintf(text, sizeof text, "%s: %s", way, row->ways[row->proposal].value);
		cell(to, text);
	} else {
		cell(to, row->why);
	}
	cell(to, row->point->text);
	fputs("</tr>\n", to);
}

void
adopt_write_html(FILE *to, const struct adopt_head *head, const struct adopt_result *result)
{
	char advice[500], number[32];

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<title>Commissioning record ", to);
	html_text(to, head->device);
	fputs("</title><style>body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;"
		"margin:1em 0}th,td{border:1px solid #999;padding:2px 6px;text-align:left}"
		".otherwise{background:#fff3c4}.doubtful,.unread{background:#ffd6d6}"
		"@media print{body{margin:0}}</style></head><body>\n<h1>Commissioning record</h1>\n"
		"<table>\n", to);
	fact(to, "Device", head->device);
	fact(to, "Address", head->address);
	snprintf(number, sizeof number, "%u", head->unit_id);
	fact(to, "Unit id", number);
	fact(to, "Register list", head->list);
	fact(to, "Read at", head->time);
	fact(to, "Text", head->text);
	for (int i = ADOPT_PLAUSIBLE; i <= ADOPT_UNREAD; i++) {
		snprintf(number, sizeof number, "%zu", result->by_verdict[i]);
		fact(to, adopt_verdict_word((enum adopt_verdict)i), number);
	}
	adopt_advice(result, advice, sizeof advice);
	if (advice[0] != '\0')
		fact(to, "Try", advice);
	fputs("</table>\n<table>\n<tr><th>Name</th><th>Function</th><th>PDU</th><th>Type</th>"
		"<th>Order</th><th>Registers</th><th>Value</th><th>Unit</th><th>Verdict</th>"
		"<th>Proposal</th><th>Text</th></tr>\n", to);
	for (size_t i = 0; i < result->count; i++)
		html_row(to, &result->rows[i]);
	fputs("</table>\n<p>Nothing was changed: neither the list nor the device.</p>\n"
		"<p>Checked by: ______________________ Date: ____________</p>\n</body></html>\n", to);
}
