#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "snmp/mib.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "snmp/session.h"
#include "snmp/snmp.h"
#include "snmp/value.h"

/* Shorter ones ("iso.3") say nothing that the numbers do not. */
#define LEAST_ARCS 6

enum { LABEL_MAX = 64, NAMES_MAX = 100000, DIRS_MAX = 128, PLACES_MAX = 4, ANY_MODULE = -1000 };

struct mib {
	char dirs[1024];          /* for messages: "DIR, DIR" */
	char heard[LABEL_MAX];    /* the first module that the parser did not find */
	/* The same of the module that was read then: it tells only the first time. */
	char missing[LABEL_MAX], needed_by[LABEL_MAX];
};

/* ---- reading ---- */

/* "Cannot find module (SNMPv2-SMI): At line 4 in ..": the parser tells nobody else. */
static int
take_log(int major, int minor, void *message, void *arg)
{
	const struct snmp_log_message *said = message;
	struct mib *mib = arg;

	(void)major;
	(void)minor;
	if (mib->heard[0] == '\0')
		sscanf(said->msg, "Cannot find module (%63[^)]", mib->heard);
	return 0;
}

static void
listen_to_parser(struct mib *mib)
{
	mib->heard[0] = '\0';
	snmp_enable_calllog();
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, take_log, mib);
}

static void
silence_parser(struct mib *mib)
{
	snmp_unregister_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, take_log, mib, 1);
	snmp_disable_log();
	netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
}

/* "$HOME/.snmp/mibs", as Net-SNMP has it. */
static char *
expand_home(const char *dir)
{
	const char *home = getenv("HOME");

	if (strncmp(dir, "$HOME/", 6) != 0)
		return mem_text(dir);
	return mem_format("%s%s", home == NULL ? "" : home, dir + 5);
}

static void
add_dirs(struct mib *mib, char *const *dirs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(mib->dirs);

		snprintf(mib->dirs + used, sizeof mib->dirs - used, "%s%s", i == 0 ? "" : ", ",
			dirs[i]);
	}
	/* Of two modules of one name it takes the one that it meets last. */
	listen_to_parser(mib);
	while (count-- > 0)
		add_mibdir(dirs[count]);
	silence_parser(mib);
}

struct mib *
mib_open(const char *const *dirs, size_t count)
{
	/* Read once: session_library_prepare empties it. */
	static char *usual;
	struct mib *mib = mem_zero(sizeof *mib);
	char *all[DIRS_MAX] = { NULL }, *copy, *rest, *dir;
	size_t used = 0;

	if (usual == NULL)
		usual = mem_text(getenv("MIBDIRS") != NULL ? getenv("MIBDIRS") :
			netsnmp_get_mib_directory());
	rest = copy = mem_text(usual);
	netsnmp_set_mib_directory("");
	session_library_prepare();
	netsnmp_init_mib_internals();
	for (size_t i = 0; i < count && used < DIRS_MAX; i++)
		all[used++] = mem_text(dirs[i]);
	while ((dir = strsep(&rest, ":")) != NULL) {
		dir += dir[0] == '+' || dir[0] == '-';
		if (dir[0] != '\0' && used < DIRS_MAX)
			all[used++] = expand_home(dir);
	}
	add_dirs(mib, all, used);
	while (used-- > 0)
		free(all[used]);
	free(copy);
	return mib;
}

void
mib_close(struct mib *mib)
{
	free(mib); /* the modules stay: the parser loses memory when it begins anew */
}

bool
mib_read_all(struct mib *mib)
{
	listen_to_parser(mib);
	read_all_mibs();
	silence_parser(mib);
	return find_module(0) != NULL;
}

/* ---- from a name to numbers ---- */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
mib_is_name(const char *text)
{
	return is_letter(text[0]) && strstr(text, "::") != NULL;
}

bool
mib_is_bare_name(const char *text)
{
	size_t length = 0;

	while (is_letter(text[length]) || (length > 0 && (text[length] == '-' ||
		(text[length] >= '0' && text[length] <= '9'))))
		length++;
	return length > 0 && (text[length] == '\0' || text[length] == '.');
}

/* The nearest name as a question; "" when none is near. */
static const char *
did_you_mean(const char *word, const char *const *names, char *to, size_t size)
{
	const char *near = str_nearest(word, names);

	to[0] = '\0';
	if (near != NULL)
		snprintf(to, size, " (did you mean \"%s\"?)", near);
	return to;
}

static bool
has_name(const struct tree *node)
{
	return node->label != NULL && strncmp(node->label, ANON, ANON_LEN) != 0;
}

/* module: its number, or ANY_MODULE */
static void
collect_labels(const struct tree *node, int module, const char **names, size_t *count)
{
	for (; node != NULL; node = node->next_peer) {
		bool its = module == ANY_MODULE ? has_name(node) : node->modid == module;

		for (int i = 0; i < node->number_modules && node->module_list != NULL; i++)
			its = its || node->module_list[i] == module;
		if (its && node->label != NULL && *count < NAMES_MAX - 1)
			names[(*count)++] = node->label;
		collect_labels(node->child_list, module, names, count);
	}
}

static void
unknown_module(const struct mib *mib, const char *name, struct fail *why)
{
	const char **names = mem_array(NAMES_MAX, sizeof *names);
	const struct module *module;
	char near[LABEL_MAX + 40];
	size_t count = 0;

	for (int i = 0; (module = find_module(i)) != NULL && count < NAMES_MAX - 1; i++)
		names[count++] = module->name;
	did_you_mean(name, names, near, sizeof near);
	if (near[0] != '\0')
		fail_set(why, "no MIB module %s in %s%s", name, mib->dirs, near);
	else
		fail_set(why, "no MIB module %s in %s: install it (Debian: snmp-mibs-downloader, "
			"or the vendor's files) and name its directory in poller.mibs", name,
			mib->dirs[0] == '\0' ? "any directory" : mib->dirs);
	free(names);
}

static void
unknown_name(const struct mib *mib, const char *module, const char *label, int id,
	struct fail *why)
{
	const char **names = mem_array(NAMES_MAX, sizeof *names);
	char near[LABEL_MAX + 40];
	size_t count = 0;

	collect_labels(get_tree_head(), id, names, &count);
	did_you_mean(label, names, near, sizeof near);
	/* Without what it imports a module has hardly any name, so this comes first. */
	if (strcmp(mib->needed_by, module) == 0)
		fail_set(why, "module %s needs %s, which is not in %s: install it (Debian: "
			"snmp-mibs-downloader) or name its directory in poller.mibs", module,
			mib->missing, mib->dirs);
	else
		fail_set(why, "module %s has no \"%s\"%s", module, label, near);
	free(names);
}

/* "MODULE::label" in parts; returns what is behind, NULL when it is no name. */
static const char *
split(const char *text, char module[LABEL_MAX], char label[LABEL_MAX])
{
	const char *colons = strstr(text, "::"), *name = colons == NULL ? "" : colons + 2;
	size_t length = strcspn(name, ".");

	if (colons == NULL || colons - text >= LABEL_MAX || length == 0 || length >= LABEL_MAX ||
		!is_letter(name[0]))
		return NULL;
	snprintf(module, LABEL_MAX, "%.*s", (int)(colons - text), text);
	snprintf(label, LABEL_MAX, "%.*s", (int)length, name);
	return name + length;
}

/* Arcs from the root to the node; 0 when it hangs on nothing. */
static size_t
path_of(const struct tree *node, uint32_t ids[SNMP_OID_MAX])
{
	uint32_t upward[SNMP_OID_MAX];
	size_t count = 0;

	for (; node != NULL && count < SNMP_OID_MAX; node = node->parent)
		upward[count++] = (uint32_t)node->subid;
	for (size_t i = 0; i < count; i++)
		ids[i] = upward[count - 1 - i];
	return node == NULL ? count : 0;
}

/* Where a label stands in the tree; places beyond PLACES_MAX are only counted. */
struct places {
	const struct tree *nodes[PLACES_MAX];
	size_t count;
};

static bool
same_place(const struct tree *a, const struct tree *b)
{
	uint32_t ids[2][SNMP_OID_MAX];
	size_t counts[2] = { path_of(a, ids[0]), path_of(b, ids[1]) };

	return counts[0] == counts[1] && memcmp(ids[0], ids[1], counts[0] * sizeof **ids) == 0;
}

static void
find_places(const struct tree *node, const char *label, struct places *places)
{
	for (; node != NULL; node = node->next_peer) {
		uint32_t ids[SNMP_OID_MAX];
		bool known = node->label == NULL || strcmp(node->label, label) != 0 ||
			path_of(node, ids) == 0;

		for (size_t i = 0; i < places->count && i < PLACES_MAX; i++)
			known = known || same_place(node, places->nodes[i]);
		if (!known && places->count < PLACES_MAX)
			places->nodes[places->count] = node;
		places->count += !known;
		find_places(node->child_list, label, places);
	}
}

static void
tell_places(const struct places *places, const char *label, struct fail *why)
{
	char list[PLACES_MAX * (2 * LABEL_MAX + 4)] = "";

	for (size_t i = 0; i < places->count && i < PLACES_MAX; i++) {
		const struct module *module = find_module(places->nodes[i]->modid);
		size_t used = strlen(list);

		snprintf(list + used, sizeof list - used, "%s%s::%s", i == 0 ? "" :
			i + 1 == places->count ? " or " : ", ",
			module == NULL ? "?" : module->name, label);
	}
	fail_set(why, "%zu MIB modules have that name, each for something else: write %s%s",
		places->count, list, places->count > PLACES_MAX ? ", .." : "");
}

static int
resolve_bare(struct mib *mib, const char *text, char *to, size_t size, struct fail *why)
{
	char label[LABEL_MAX], near[LABEL_MAX + 40];
	size_t length = strcspn(text, "."), count = 0;
	struct places places = { .count = 0 };
	uint32_t ids[SNMP_OID_MAX];
	const char **names;

	snprintf(label, sizeof label, "%.*s", (int)length, text);
	mib_read_all(mib);
	if (length < sizeof label)
		find_places(get_tree_head(), label, &places);
	if (places.count == 0) {
		names = mem_array(NAMES_MAX, sizeof *names);
		collect_labels(get_tree_head(), ANY_MODULE, names, &count);
		fail_set(why, "no MIB module in %s has that name%s", mib->dirs[0] == '\0' ?
			"any directory" : mib->dirs, did_you_mean(label, names, near, sizeof near));
		free(names);
		return -1;
	}
	if (places.count > 1) {
		tell_places(&places, label, why);
		return -1;
	}
	snmp_oid_text(to, size, ids, path_of(places.nodes[0], ids));
	if (strlen(to) + strlen(text + length) >= size) {
		fail_set(why, "has more than %d numbers", SNMP_OID_MAX);
		return -1;
	}
	memcpy(to + strlen(to), text + length, strlen(text + length) + 1);
	return 0;
}

int
mib_resolve(struct mib *mib, const char *text, char *to, size_t size, struct fail *why)
{
	char module[LABEL_MAX], label[LABEL_MAX], number[SNMP_OID_MAX * 11];
	const char *behind = split(text, module, label);
	uint32_t ids[SNMP_OID_MAX];
	const struct tree *node;
	size_t count;
	int id;

	if (mib_is_bare_name(text))
		return resolve_bare(mib, text, to, size, why);
	if (behind == NULL) {
		fail_set(why, "expected MODULE::name, like IF-MIB::ifHCInOctets");
		return -1;
	}
	listen_to_parser(mib);
	netsnmp_read_module(module);
	id = which_module(module);
	node = id == -1 ? NULL : find_tree_node(label, id);
	silence_parser(mib);
	if (mib->heard[0] != '\0') {
		str_copy(mib->missing, sizeof mib->missing, mib->heard);
		str_copy(mib->needed_by, sizeof mib->needed_by, module);
	}
	if (id == -1) {
		unknown_module(mib, module, why);
		return -1;
	}
	count = node == NULL ? 0 : path_of(node, ids);
	if (count == 0) {
		unknown_name(mib, module, label, id, why);
		return -1;
	}
	snmp_oid_text(number, sizeof number, ids, count);
	if (snprintf(to, size, "%s%s", number, behind) >= (int)size) {
		fail_set(why, "has more than %d numbers", SNMP_OID_MAX);
		return -1;
	}
	return 0;
}

/* ---- from numbers to what people read ---- */

/* One with a name, if there are several. */
static const struct tree *
child(const struct tree *first, uint32_t arc)
{
	const struct tree *found = NULL;

	for (const struct tree *node = first; node != NULL; node = node->next_peer) {
		if (node->subid == arc && (found == NULL || has_name(node)))
			found = node;
	}
	return found;
}

/* The deepest node with a name on the way, and how many arcs lead to it. */
static const struct tree *
deepest_node(const uint32_t *ids, size_t count, size_t *depth)
{
	const struct tree *at = get_tree_head(), *found = NULL;

	*depth = 0;
	for (size_t i = 0; i < count && (at = child(at, ids[i])) != NULL; i++) {
		if (has_name(at)) {
			found = at;
			*depth = i + 1;
		}
		at = at->child_list;
	}
	return found;
}

enum mib_kind
mib_kind(const char *numbers, bool *instance)
{
	uint32_t ids[SNMP_OID_MAX];
	const struct tree *node;
	size_t count = 0, depth;
	int length;

	/* What is behind a name need not be numbers: parameters may stand there. */
	while (count < SNMP_OID_MAX && sscanf(numbers, "%" SCNu32 "%n", &ids[count], &length) == 1) {
		count++;
		numbers += length;
		if (numbers[0] != '.')
			break;
		numbers++;
	}
	node = deepest_node(ids, count, &depth);
	*instance = depth < count || numbers[0] != '\0';
	if (node == NULL || node->type == TYPE_OTHER || node->child_list != NULL)
		return MIB_OTHER;
	return node->parent != NULL && (node->parent->indexes != NULL || node->parent->augments != NULL) ?
		MIB_COLUMN : MIB_SCALAR;
}

bool
mib_oid_text(struct mib *mib, char *to, size_t size, const uint32_t *ids, size_t count)
{
	char rest[SNMP_OID_MAX * 11];
	const struct module *module;
	const struct tree *node;
	size_t depth;

	(void)mib;
	node = deepest_node(ids, count, &depth);
	module = node == NULL || depth < LEAST_ARCS ? NULL : find_module(node->modid);
	if (module == NULL)
		return false;
	snmp_oid_text(rest, sizeof rest, ids + depth, count - depth);
	return snprintf(to, size, "%s::%s%s%s", module->name, node->label,
		depth < count ? "." : "", rest) < (int)size;
}

static bool
enumeration_text(const struct tree *node, char *to, size_t size, int64_t number)
{
	for (const struct enum_list *at = node->enums; at != NULL; at = at->next) {
		if (at->value == number)
			return snprintf(to, size, "%s(%lld)", at->label, (long long)number) <
				(int)size;
	}
	return false;
}

/* By Net-SNMP, which knows DISPLAY-HINTs (RFC 2579, 3.1) and BITS. */
static bool
hinted_text(char *to, size_t size, const struct varbind *varbind)
{
	netsnmp_variable_list variable = { 0 };
	oid name[SNMP_OID_MAX];
	long number = (long)varbind->value.integer;

	for (size_t i = 0; i < varbind->count && i < SNMP_OID_MAX; i++)
		name[i] = varbind->ids[i];
	if (varbind->value.type == VALUE_INTEGER) {
		variable.type = ASN_INTEGER;
		variable.val.integer = &number;
		variable.val_len = sizeof number;
	} else {
		variable.type = ASN_OCTET_STR;
		variable.val.string = (u_char *)varbind->value.octets;
		variable.val_len = varbind->value.size;
	}
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_QUICK_PRINT, 1);
	if (snprint_value(to, size, name, varbind->count, &variable) <= 0)
		return false;
	/* What a device sends must not move the cursor. */
	for (char *c = to; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = ' ';
	return true;
}

bool
mib_value_text(struct mib *mib, char *to, size_t size, const struct varbind *varbind)
{
	const struct value *value = &varbind->value;
	const struct tree *node;
	size_t depth;

	if (value->type == VALUE_OID)
		return mib_oid_text(mib, to, size, value->ids, value->size);
	node = deepest_node(varbind->ids, varbind->count, &depth);
	if (node == NULL || node->child_list != NULL)
		return false;
	if (value->type == VALUE_INTEGER && node->enums != NULL)
		return enumeration_text(node, to, size, value->integer);
	if ((value->type == VALUE_INTEGER && node->hint != NULL) ||
		(value->type == VALUE_OCTETS && node->type == TYPE_BITSTRING))
		return hinted_text(to, size, varbind);
	/* 255a and 255t only say that it is a text, which ours shows more safely. */
	if (value->type == VALUE_OCTETS && node->hint != NULL && value->size > 0 &&
		strcmp(node->hint, "255a") != 0 && strcmp(node->hint, "255t") != 0)
		return hinted_text(to, size, varbind);
	return false;
}
