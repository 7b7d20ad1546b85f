#include "cli/probe_sunspec.h"

#include <stdio.h>

#include "base/doc.h"
#include "base/fail.h"
#include "cli/cmd.h"
#include "cli/sunspec.h"
#include "cli/wire.h"
#include "core/device.h"

static void
print_text(const struct device *device, const struct sunspec *found)
{
	printf("%s (%s), \"SunS\" at pdu %u\n", device->name, device->address, found->base);
	if (found->maker[0] != '\0')
		printf("%s %s, version %s, serial number %s\n", found->maker, found->model,
			found->version, found->serial);
	for (size_t i = 0; i < found->count; i++)
		printf("model %5u  length %5u  pdu %5u  %s\n", found->models[i].id,
			found->models[i].length, found->models[i].address,
			sunspec_name(found->models[i].id));
	if (found->cut[0] != '\0')
		printf("the chain is cut: %s\n", found->cut);
}

static void
print_json(const struct device *device, const struct sunspec *found)
{
	json_t *models = json_array();

	for (size_t i = 0; i < found->count; i++)
		json_array_append_new(models, json_pack("{s:i, s:i, s:i, s:s}", "id",
			found->models[i].id, "length", found->models[i].length, "pdu",
			found->models[i].address, "name", sunspec_name(found->models[i].id)));
	cmd_print_json(json_pack("{s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "device",
		doc_text(device->name), "base", found->base, "manufacturer", doc_text(found->maker),
		"model", doc_text(found->model), "version", doc_text(found->version), "serial",
		doc_text(found->serial), "models", models, "cut",
		found->cut[0] != '\0' ? doc_text(found->cut) : json_null()));
}

int
probe_sunspec(const struct cmd_context *context, const struct inventory *inventory,
	const struct device *device, bool beside)
{
	struct wire_options open = { inventory, device->name, device_modbus(device), beside, 0 };
	struct sunspec found;
	struct wire *wire;
	struct fail why;
	int status;

	wire = wire_open(&open, &why);
	if (wire == NULL) {
		cmd_error("%s", why.text);
		return CMD_NEGATIVE;
	}
	status = sunspec_walk(wire, &found, &why) == 0 && found.cut[0] == '\0' ? CMD_OK : CMD_NEGATIVE;
	if (status != CMD_OK && found.base == 0 && found.count == 0 && found.cut[0] == '\0')
		cmd_error("%s: %s", device->name, why.text);
	else if (context->json)
		print_json(device, &found);
	else
		print_text(device, &found);
	wire_close(wire);
	return status;
}
