/* pollwerk where: which RRD file and data source hold a point, brought up to date first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "core/device.h"
#include "core/series.h"

static int
where(const struct cmd_context *context, int argc, char **argv)
{
	struct place place;
	const struct series **list;
	json_t *document;
	bool flush = true;
	const char *glob = NULL;
	size_t count;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--no-flush") == 0)
			flush = false;
		else if (argv[i][0] == '-' || glob != NULL)
			return cmd_one_glob(&cmd_where, "", argv[i]);
		else
			glob = argv[i];
	}
	if (glob == NULL)
		return cmd_usage(&cmd_where, "which points?");
	if (place_open(&place, context, false) == -1)
		return CMD_NEGATIVE;
	document = json_array();
	list = place_find(&place, glob, &count);
	if (flush)
		place_flush(&place, list, count);
	for (size_t i = 0; i < count; i++) {
		const struct series *s = list[i];
		char file[1024];

		snprintf(file, sizeof file, "%s/%s", place.dirs.rrd_dir, s->file);
		if (*s->file == '\0')
			continue;
		if (context->json)
			json_array_append_new(document, json_pack("{s:o, s:o, s:s}", "path",
				doc_text(s->path), "file", doc_text(file), "ds", s->ds));
		else
			printf("%s %s %s\n", s->path, file, s->ds);
	}
	if (context->json)
		cmd_print_json(document);
	else
		json_decref(document);
	if (count == 0)
		cmd_error("no point matches \"%s\"", glob);
	free(list);
	place_close(&place);
	return count > 0 ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_where = { "where", "[--no-flush] GLOB", "RRD file and data source of each point",
	where };
