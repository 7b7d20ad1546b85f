#include "config/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/conf.h"
#include "core/device.h"
#include "core/driver.h"
#include "modbus/block.h"
#include "modbus/modbus.h"
#include "reach/reach.h"
#include "snmp/snmp.h"

/* Everything is written out as text, member by member, and the text is hashed: structs have
 * holes and pointers. Each text ends in NUL, so that "a" "bc" is not "ab" "c". */
static void
put(FILE *to, const char *text)
{
	fwrite(text, 1, strlen(text) + 1, to);
}

static void
put_address(FILE *to, const struct net_addr *address)
{
	char text[80];

	put(to, net_addr_text(text, sizeof text, address, true));
}

static void
put_oids(FILE *to, const struct snmp_oid *oids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fwrite(oids[i].ids, sizeof *oids[i].ids, oids[i].count, to);
		put(to, ";");
	}
	put(to, ".");
}

static void
put_snmp(FILE *to, const struct snmp_options *snmp)
{
	put(to, "snmp");
	put_address(to, &snmp->address);
	put(to, snmp->access->community);
	put(to, snmp->access->user.name);
	put(to, snmp->access->user.context);
	put(to, snmp->access->user.auth_pass);
	put(to, snmp->access->user.priv_pass);
	fprintf(to, "%d %d ", snmp->access->user.auth, snmp->access->user.priv);
	fprintf(to, "%u %lld %u %u %a %lld %d %u %u %d", snmp->access->version,
		(long long)snmp->access->timeout, snmp->access->retries, snmp->access->window,
		snmp->access->max_rate, (long long)snmp->access->gap, snmp->access->any_source, snmp->access->max_varbinds,
		snmp->access->max_repetitions, snmp->access->netsnmp);
	if (snmp->access->from != NULL)
		put_address(to, snmp->access->from);
}

static void
put_modbus(FILE *to, const struct modbus_options *modbus)
{
	put(to, "modbus");
	put(to, modbus->line);
	put_address(to, &modbus->address);
	fprintf(to, "%u %lld %lld %lld %lld %lld %u %u %u", modbus->unit_id,
		(long long)modbus->timeout, (long long)modbus->connect_timeout,
		(long long)modbus->connect_delay, (long long)modbus->request_gap,
		(long long)modbus->close_after, modbus->max_regs, modbus->max_bits, modbus->max_gap);
	fprintf(to, " %a %d %d %lld %d", modbus->max_rate, modbus->framing, modbus->local_echo,
		(long long)modbus->quiet, modbus->never_connect);
	fprintf(to, " %d", modbus->no_merge);
	for (size_t i = 0; i < modbus->barrier_count; i++)
		fprintf(to, " %u|%u", modbus->barriers[i].function, modbus->barriers[i].address);
	if (modbus->tls != NULL) {
		fprintf(to, " %llx ", (unsigned long long)modbus->tls->id);
		put(to, modbus->server_name);
	}
	if (modbus->serial.device != NULL) {
		put(to, modbus->serial.device);
		fprintf(to, "%u %c %u %d", modbus->serial.baud, modbus->serial.parity,
			modbus->serial.stop_bits, modbus->serial.rs485);
	}
}

static void
put_reach(FILE *to, const struct reach_options *reach)
{
	put(to, "reach");
	put_address(to, &reach->address);
	fprintf(to, "%d %lld", reach->ping, (long long)reach->timeout);
	for (size_t i = 0; i < reach->tcp_count; i++)
		fprintf(to, " %u", reach->tcp[i]);
}

static void
put_modbus_point(FILE *to, const struct modbus_point *wire)
{
	const struct regs_spec *spec = &wire->spec;

	fprintf(to, "%u %u %d %u %d %u %u %a %a %u %u", wire->function, wire->pdu, wire->separate,
		wire->bits, spec->type, spec->order.swap, spec->order.letters, spec->scale,
		spec->offset, spec->bit, spec->length);
	fprintf(to, " %d %u %d %a %a ", spec->chars, spec->mask, spec->bounded, spec->min,
		spec->max);
	fprintf(to, "%llu %d ", (unsigned long long)wire->wrap, wire->side_effect);
	put(to, wire->atomic == NULL ? "" : wire->atomic);
	put(to, wire->scale_from == NULL ? "" : wire->scale_from);
	for (size_t i = 0; i < spec->invalid_count; i++)
		fprintf(to, " %d %llx %llx", spec->invalid[i].kind,
			(unsigned long long)spec->invalid[i].from.bits,
			(unsigned long long)spec->invalid[i].to.bits);
}

static void
put_point(FILE *to, const struct point *point, bool snmp)
{
	put(to, point->name);
	put(to, point->unit);
	put(to, point->text);
	fprintf(to, "%d %a %a", point->kind, point->scale, point->offset);
	for (size_t i = 0; i < point->state_count; i++) {
		fprintf(to, " %lld=", (long long)point->states[i].value);
		put(to, point->states[i].word);
	}
	if (point->wire == NULL)
		return; /* asks nobody */
	if (snmp) {
		const struct snmp_point *wire = point->wire;

		put_oids(to, wire->oids, wire->oid_count);
		fprintf(to, " %d %u", wire->bits, wire->bit);
		for (size_t i = 0; wire->scales != NULL && i < wire->oid_count; i++)
			fprintf(to, " %a", wire->scales[i]);
		for (size_t i = 0; i < wire->invalid_count; i++)
			fprintf(to, " %a..%a", wire->invalid[i].from, wire->invalid[i].to);
	} else {
		put_modbus_point(to, point->wire);
	}
}

static void
put_types(FILE *to, const int64_t *types, size_t count)
{
	fprintf(to, " %zu", count);
	for (size_t i = 0; i < count; i++)
		fprintf(to, " %lld", (long long)types[i]);
}

static void
put_group(FILE *to, const struct group *group)
{
	const struct snmp_group *wire = group->wire;

	put(to, group->name);
	put(to, group->table == NULL ? "" : group->table);
	put(to, group->suffix);
	put(to, group->profile);
	put(to, group->driver->name);
	fprintf(to, "%lld %d %lld", (long long)group->interval, group->align,
		(long long)group->retire);
	if (wire != NULL) {
		put_oids(to, wire->keys, wire->key_count);
		put_oids(to, &wire->discontinuity, wire->discontinuity.count > 0);
		for (size_t i = 0; i < wire->info_count; i++) {
			put(to, wire->infos[i].name);
			put_oids(to, &wire->infos[i].oid, 1);
		}
		put(to, wire->include);
		put(to, wire->exclude);
		put_oids(to, &wire->type, wire->type.count > 0);
		put_types(to, wire->types, wire->type_count);
		put_types(to, wire->exclude_types, wire->exclude_type_count);
		fprintf(to, " %d", wire->keep);
		put_oids(to, &wire->status, wire->status.count > 0);
		for (size_t i = 0; i < wire->peer_count; i++)
			put(to, wire->peers[i].name);
	}
	for (size_t i = 0; i < group->point_count; i++)
		put_point(to, &group->points[i], wire != NULL);
}

uint64_t
diff_fingerprint(const struct device *device)
{
	char *text = NULL;
	size_t size = 0;
	uint64_t hash;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL)
		abort(); /* only without memory, where mem.h ends the process too */
	put(to, device->name);
	put(to, device->address);
	put(to, device->about->protocol);
	put(to, device->about->place);
	put(to, device->about->owner);
	put(to, device->about->asset);
	put(to, device->about->text);
	put(to, device->about->profile);
	fprintf(to, "%lld %d %d", (long long)device_interval(device), device->align, device->own);
	for (const char *const *parent = device_parents(device); *parent != NULL; parent++)
		put(to, *parent);
	if (device_snmp(device) != NULL)
		put_snmp(to, device_snmp(device));
	if (device_modbus(device) != NULL)
		put_modbus(to, device_modbus(device));
	if (device_reach(device) != NULL)
		put_reach(to, device_reach(device));
	for (size_t i = 0; i < device->group_count; i++)
		put_group(to, &device->groups[i]);
	fclose(to);
	hash = str_hash(text, size);
	explicit_bzero(text, size);
	free(text);
	return hash;
}

static int
compare(const void *a, const void *b)
{
	const struct device *one = *(const struct device *const *)a;
	const struct device *other = *(const struct device *const *)b;

	return strcmp(one->name, other->name);
}

static const struct device **
sorted(const struct inventory *inventory)
{
	const struct device **all = mem_array(inventory->device_count, sizeof *all);

	for (size_t i = 0; i < inventory->device_count; i++)
		all[i] = &inventory->devices[i];
	qsort(all, inventory->device_count, sizeof *all, compare);
	return all;
}

void
conf_diff(const struct inventory *old, const struct inventory *new,
	void (*each)(enum conf_change change, const char *name, void *arg), void *arg)
{
	const struct device **was = sorted(old), **is = sorted(new);
	size_t i = 0, k = 0;

	while (i < old->device_count || k < new->device_count) {
		int order = i == old->device_count ? 1 : k == new->device_count ? -1 :
			strcmp(was[i]->name, is[k]->name);

		if (order < 0)
			each(CONF_REMOVED, was[i++]->name, arg);
		else if (order > 0)
			each(CONF_ADDED, is[k++]->name, arg);
		else {
			each(was[i]->fingerprint == is[k]->fingerprint ? CONF_UNCHANGED :
				CONF_CHANGED, is[k]->name, arg);
			i++;
			k++;
		}
	}
	free(was);
	free(is);
}
