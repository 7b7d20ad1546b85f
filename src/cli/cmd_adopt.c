/* pollwerk adopt: reads each register of a vendor's list once, and says what the list should
 * have said. For the day on which a machine is taken over. Writes a record, changes nothing. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/adopt.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "cli/wire.h"
#include "config/conf.h"
#include "core/device.h"
#include "core/point.h"
#include "modbus/modbus.h"

#define RATE 5.0 /* questions a second, unless told otherwise */
#define RATE_MOST 100
#define SILENT 3 /* rows in a row without an answer: the device is not asked any more */

struct request {
	const char *list, *device, *record;
	double rate;
	bool beside, around;
};

static int
parse_arguments(struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--beside") == 0) {
			request->beside = true;
		} else if (strcmp(argv[i], "--around") == 0) {
			request->around = true;
		} else if (strcmp(argv[i], "--record") == 0) {
			if (++i == argc)
				return cmd_usage(&cmd_adopt, "--record is the begin of two file names");
			request->record = argv[i];
		} else if (strcmp(argv[i], "--max-rate") == 0) {
			if (++i == argc || str_double(argv[i], &request->rate, NULL) == -1 ||
				request->rate <= 0 || request->rate > RATE_MOST)
				return cmd_usage(&cmd_adopt, "--max-rate is a number of requests a "
					"second, up to %d", RATE_MOST);
		} else if (argv[i][0] == '-') {
			return cmd_usage(&cmd_adopt, "unknown option %s", argv[i]);
		} else if (request->list == NULL) {
			request->list = argv[i];
		} else if (request->device == NULL) {
			request->device = argv[i];
		} else {
			return cmd_usage(&cmd_adopt, "one list and one device, please");
		}
	}
	if (request->device == NULL)
		return cmd_usage(&cmd_adopt, "which list, and which device?");
	return CMD_OK;
}

/* ---- the list ---- */

static void
put_quoted(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		fputc(*text, to);
	}
}

/* The list as the points of a device that has nothing else, so that it is checked as any
 * other is. NULL after messages. */
static struct inventory *
load_list(const char *list)
{
	struct conf_errors errors = { 0 };
	struct inventory *inventory = NULL;
	char full[PATH_MAX], path[40];
	int fd = memfd_create("list", MFD_CLOEXEC);
	FILE *to = fd == -1 || fchmod(fd, 0600) == -1 ? NULL : fdopen(fd, "w");
	struct conf *conf;

	if (to == NULL || realpath(list, full) == NULL) {
		cmd_error("%s: %s", list, strerror(errno));
		goto out;
	}
	fputs("poller: { templates = [ ]; };\ndevices: ( { name = \"list\"; address = "
		"\"127.0.0.1\"; modbus = { unit_id = 1; }; registers = [ \"", to);
	put_quoted(to, full);
	fputs("\" ]; } );\n", to);
	fflush(to);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	conf = conf_load_to_look(path, &errors);
	inventory = conf == NULL ? NULL : conf_inventory(conf);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s:%d: %s\n", errors.items[i].file, errors.items[i].line,
			errors.items[i].text);
	conf_errors_free(&errors);
	conf_free(conf);
out:
	if (to != NULL)
		fclose(to);
	else if (fd != -1)
		close(fd);
	return inventory;
}

static int
by_address(const void *a, const void *b)
{
	const struct adopt_row *one = a, *other = b;
	const struct modbus_point *left = one->point->wire, *right = other->point->wire;

	if (left->side_effect != right->side_effect)
		return left->side_effect ? 1 : -1;
	if (left->function != right->function)
		return left->function < right->function ? -1 : 1;
	return left->pdu < right->pdu ? -1 : left->pdu > right->pdu;
}

static void
take_rows(struct adopt_result *result, const struct inventory *inventory)
{
	const struct device *device = &inventory->devices[0];
	size_t at = 0;

	for (size_t g = 0; g < device->group_count; g++)
		result->count += device->groups[g].point_count;
	result->rows = mem_array(result->count, sizeof *result->rows);
	for (size_t g = 0; g < device->group_count; g++)
		for (size_t i = 0; i < device->groups[g].point_count; i++)
			result->rows[at++].point = &device->groups[g].points[i];
	qsort(result->rows, result->count, sizeof *result->rows, by_address);
}

/* ---- reading ---- */

struct reader {
	const struct request *request;
	struct wire *wire;
	const struct adopt_result *result;
	struct adopt_image *image;
	struct progress progress;
	unsigned silent; /* in a row */
	char why[200];   /* of the last one */
};

/* Is there a register among these that reading changes? */
static bool
would_change(const struct adopt_result *result, unsigned function, unsigned from, unsigned count)
{
	for (size_t i = 0; i < result->count; i++) {
		const struct modbus_point *wire = result->rows[i].point->wire;

		if (wire->side_effect && wire->function == function && wire->pdu < from + count &&
			wire->pdu + regs_count(&wire->spec) > from)
			return true;
	}
	return false;
}

/* With --around also the register before and the one behind; where those are refused, none. */
static void
read_row(struct reader *reader, struct adopt_row *row)
{
	const struct modbus_point *wire = row->point->wire;
	enum adu_function function = (enum adu_function)wire->function;
	unsigned count = wire->function <= 2 ? 1 : regs_count(&wire->spec);
	unsigned before = wire->pdu > 0, behind = wire->pdu + count < 65536;
	struct wire_answer answer;

	if (reader->request->around && wire->function > 2 && !wire->separate &&
		count + before + behind <= ADU_MAX_REGS &&
		!would_change(reader->result, wire->function, wire->pdu - before,
			count + before + behind) &&
		wire_registers(reader->wire, function, (uint16_t)(wire->pdu - before),
			(uint16_t)(count + before + behind), &answer)) {
		adopt_image_put(reader->image, wire->function, (uint16_t)(wire->pdu - before),
			count + before + behind, answer.data);
		reader->silent = 0;
		return;
	}
	if (wire_registers(reader->wire, function, wire->pdu, (uint16_t)count, &answer)) {
		if (wire->function <= 2)
			adopt_take_bit(row, adu_bit(answer.data, 0));
		else
			adopt_image_put(reader->image, wire->function, wire->pdu, count, answer.data);
		reader->silent = 0;
		return;
	}
	adopt_take_failure(row, wire_says(&answer, reader->why, sizeof reader->why));
	reader->silent = answer.outcome == LINE_EXCEPTION ? 0 : reader->silent + 1;
}

static void
read_rows(struct reader *reader, struct adopt_result *result)
{
	progress_begin(&reader->progress, "adopt");
	reader->progress.noun = "rows";
	for (size_t i = 0; i < result->count; i++) {
		if (reader->silent >= SILENT)
			adopt_take_failure(&result->rows[i], "not asked any more");
		else
			read_row(reader, &result->rows[i]);
		progress_step(&reader->progress, i + 1, result->count, 0, 0);
	}
	progress_clear(&reader->progress);
	if (reader->silent >= SILENT)
		cmd_error("%s: %s, three times in a row: not asked any more",
			reader->request->device, reader->why);
}

/* ---- showing ---- */

static void
print_row(const struct adopt_row *row)
{
	const struct modbus_point *wire = row->point->wire;
	const struct adopt_way *way = row->proposal == -1 ? NULL : &row->ways[row->proposal];

	printf("%-24s %u %5u %-7s %-8s %s%s%s", row->point->name, wire->function, wire->pdu,
		regs_type_name(wire->spec.type), row->order, row->value[0] != '\0' ? row->value : "-",
		row->point->unit[0] != '\0' ? " " : "", row->point->unit);
	if (row->why[0] != '\0')
		printf("  %s", row->why);
	if (way != NULL)
		printf("; pdu %d, order %s: %s", wire->pdu + way->base, way->order, way->value);
	if (way == NULL && row->verdict == ADOPT_DOUBTFUL)
		printf("; and in no other way");
	printf("\n");
}

static void
print_text(const struct adopt_result *result)
{
	char advice[500];

	for (size_t i = 0; i < result->count; i++)
		print_row(&result->rows[i]);
	printf("%zu rows: %zu plausible, %zu not there, %zu otherwise, %zu doubtful, %zu unread\n",
		result->count, result->by_verdict[ADOPT_PLAUSIBLE],
		result->by_verdict[ADOPT_NOT_THERE], result->by_verdict[ADOPT_OTHERWISE],
		result->by_verdict[ADOPT_DOUBTFUL], result->by_verdict[ADOPT_UNREAD]);
	if (adopt_advice(result, advice, sizeof advice)[0] != '\0')
		printf("try %s\n", advice);
}

static json_t *
row_json(const struct adopt_row *row)
{
	const struct modbus_point *wire = row->point->wire;
	json_t *ways = json_array();
	json_t *object = json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "name",
		row->point->name, "function", wire->function, "pdu", wire->pdu, "type",
		regs_type_name(wire->spec.type), "order", row->order, "registers", row->raw,
		"value", row->value[0] != '\0' ? doc_text(row->value) : json_null(), "unit",
		doc_text(row->point->unit), "verdict", adopt_verdict_word(row->verdict), "why",
		row->why[0] != '\0' ? doc_text(row->why) : json_null());

	for (size_t i = 0; i < row->way_count; i++)
		json_array_append_new(ways, json_pack("{s:i, s:s, s:o, s:b}", "pdu",
			wire->pdu + row->ways[i].base, "order", row->ways[i].order, "value",
			doc_text(row->ways[i].value), "proposed", (int)i == row->proposal));
	json_object_set_new(object, "ways", ways);
	return object;
}

static void
print_json(const struct adopt_head *head, const struct adopt_result *result,
	const char *csv, const char *html)
{
	json_t *rows = json_array(), *document;
	char advice[500];

	for (size_t i = 0; i < result->count; i++)
		json_array_append_new(rows, row_json(&result->rows[i]));
	adopt_advice(result, advice, sizeof advice);
	document = json_pack("{s:o, s:o, s:i, s:o, s:o, s:[o, o]}", "device",
		doc_text(head->device), "list", doc_text(head->list), "unit_id", (int)head->unit_id,
		"advice", advice[0] != '\0' ? doc_text(advice) : json_null(), "rows", rows,
		"record", doc_text(csv), doc_text(html));
	cmd_print_json(document);
}

static int
write_record(const char *path, const struct adopt_head *head, const struct adopt_result *result,
	void (*write)(FILE *, const struct adopt_head *, const struct adopt_result *))
{
	FILE *to = fopen(path, "wxe"); /* a record is not written over */
	bool fine;

	if (to == NULL) {
		cmd_error("%s: %s", path, strerror(errno));
		return -1;
	}
	write(to, head, result);
	fine = fflush(to) == 0 && ferror(to) == 0;
	if (fclose(to) != 0 || !fine) {
		cmd_error("%s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

static int
report(const struct cmd_context *context, const struct request *request,
	const struct device *device, const struct adopt_result *result)
{
	char time[40], stamp[40], *csv, *html;
	struct adopt_head head = { .device = device->name, .address = device->address,
		.list = request->list, .text = device->about->text, .time = time,
		.unit_id = ((const struct modbus_options *)device_modbus(device))->unit_id };
	bool written;

	str_utc(time, sizeof time, place_now());
	str_copy(stamp, sizeof stamp, time);
	stamp[strcspn(stamp, ".")] = '\0';
	for (char *c = stamp; *c != '\0'; c++)
		if (*c == ':')
			*c = '-';
	csv = request->record != NULL ? mem_format("%s.csv", request->record) :
		mem_format("adopt-%s-%sZ.csv", device->name, stamp);
	html = mem_format("%.*s.html", (int)strlen(csv) - 4, csv);
	written = write_record(csv, &head, result, adopt_write_csv) == 0 &&
		write_record(html, &head, result, adopt_write_html) == 0;
	if (context->json)
		print_json(&head, result, csv, html);
	else
		print_text(result);
	if (written && !context->json)
		printf("record: %s, %s\n", csv, html);
	free(csv);
	free(html);
	return written && result->by_verdict[ADOPT_OTHERWISE] + result->by_verdict[ADOPT_DOUBTFUL] +
		result->by_verdict[ADOPT_UNREAD] == 0 ? CMD_OK : CMD_NEGATIVE;
}

/* ---- the command ---- */

static int
adopt(const struct cmd_context *context, const struct request *request,
	const struct inventory *inventory, const struct device *device,
	const struct inventory *list)
{
	struct wire_options open = { inventory, device->name, device_modbus(device), request->beside,
		request->rate };
	struct adopt_result result = { 0 };
	struct reader reader = { .request = request, .result = &result };
	struct fail why;
	int status;

	reader.wire = wire_open(&open, &why);
	if (reader.wire == NULL) {
		cmd_error("%s", why.text);
		return CMD_NEGATIVE;
	}
	reader.image = adopt_image_new();
	take_rows(&result, list);
	read_rows(&reader, &result);
	wire_close(reader.wire);
	adopt_judge(&result, reader.image);
	status = report(context, request, device, &result);
	adopt_image_free(reader.image);
	free(result.rows);
	return status;
}

static int
run(const struct cmd_context *context, int argc, char **argv)
{
	struct request request = { .rate = RATE };
	struct inventory *inventory, *list;
	const struct device *device;
	int status = parse_arguments(&request, argc, argv);

	if (status != CMD_OK)
		return status;
	inventory = cmd_inventory(context);
	if (inventory == NULL)
		return CMD_NEGATIVE;
	device = inventory_find(inventory, request.device);
	list = device == NULL || device_modbus(device) == NULL ? NULL : load_list(request.list);
	if (device == NULL)
		status = cmd_usage(&cmd_adopt, "no device \"%s\" in the configuration", request.device);
	else if (device_modbus(device) == NULL)
		status = cmd_usage(&cmd_adopt, "\"%s\" is not asked by Modbus", device->name);
	else
		status = list == NULL ? CMD_NEGATIVE :
			adopt(context, &request, inventory, device, list);
	inventory_unref(list);
	inventory_unref(inventory);
	return status;
}

const struct cmd cmd_adopt = { "adopt",
	"[--max-rate N] [--around] [--record NAME] [--beside] LIST DEVICE",
	"read each register of a vendor's list once, and say what the list should have said", run };
