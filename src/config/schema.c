#include "config/schema.h"

#include <inttypes.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/net.h"
#include "base/str.h"
#include "config/errors.h"
#include "config/tree.h"
#include "snmp/snmp.h"

static const char *const type_words[] = {
	[SCHEMA_TEXT] = "a text in quotes",
	[SCHEMA_NAME] = "a name of letters, digits, '.', '_' and '-', at most 40 characters",
	[SCHEMA_CHOICE] = "a word in quotes",
	[SCHEMA_BOOL] = "true or false",
	[SCHEMA_INT] = "an integer",
	[SCHEMA_FLOAT] = "a number",
	[SCHEMA_DURATION] = "a duration like \"10s\"",
	[SCHEMA_INTERVAL] = "a duration like \"10s\"",
	[SCHEMA_SIZE] = "a size like \"256M\"",
	[SCHEMA_ADDRESS] = "an IP address like \"10.1.3.1\"",
	[SCHEMA_ENDPOINT] = "an IP address and port like \"10.1.0.5:162\"",
	[SCHEMA_SECRET] = "a text in quotes, or \"@cred:NAME\"",
	[SCHEMA_OID] = "an OID like \"1.3.6.1.2.1.1.3.0\" or \"IF-MIB::ifInOctets\"",
	[SCHEMA_OIDS] = "an OID like \"1.3.6.1.2.1.1.3.0\" or \"IF-MIB::ifInOctets\", or [ ] of them",
	[SCHEMA_TEXTS] = "[ ] of texts in quotes",
	[SCHEMA_WORD] = "a text in quotes, or an integer",
	[SCHEMA_WORDS] = "a text in quotes or an integer, or [ ] of them",
	[SCHEMA_NAMES] = "[ ] of names in quotes",
	[SCHEMA_INTS] = "[ ] of integers",
	[SCHEMA_FLOATS] = "a number, or [ ] of them",
	[SCHEMA_GROUP] = "a group { ... }",
	[SCHEMA_LIST] = "a list of groups ( { ... }, { ... } )",
	[SCHEMA_MAP] = "a group of groups { name = { ... }; }",
	[SCHEMA_VALUES] = "a group of values { name = value; }",
	[SCHEMA_VALUE] = "a number or a text in quotes",
	[SCHEMA_HOPS] = "a list of names ( \"a\", ( \"b\", \"c\" ) )",
	[SCHEMA_LATER] = "",
};

/* Each key of thousands of points is looked up: by hash, places tried one after the other. */
#define PLACES 1024 /* 2^n, several times as many as keys */
static uint16_t places[PLACES]; /* number in schema_keys and 1; 0: free */

static size_t
place_of(const char *section, const char *key)
{
	return (str_hash(section, strlen(section)) * 31 + str_hash(key, strlen(key))) % PLACES;
}

/* Before main: more than one thread may look up. */
__attribute__((constructor)) static void
fill_places(void)
{
	for (size_t i = 0; i < schema_key_count; i++) {
		size_t at = place_of(schema_keys[i].section, schema_keys[i].key);

		while (places[at] != 0)
			at = (at + 1) % PLACES;
		places[at] = (uint16_t)(i + 1);
	}
}

const struct schema_key *
schema_find(const char *section, const char *key)
{
	for (size_t at = place_of(section, key); places[at] != 0; at = (at + 1) % PLACES) {
		const struct schema_key *found = &schema_keys[places[at] - 1];

		if (strcmp(found->key, key) == 0 && strcmp(found->section, section) == 0)
			return found;
	}
	return NULL;
}

/* "snmp version" for a key of a named group, "interval" for one of an entry. The label of
 * what is around goes before. */
static void
value_error(const struct config_setting_t *node, struct conf_errors *errors,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
value_error(const struct config_setting_t *node, struct conf_errors *errors,
	const char *format, ...)
{
	const struct config_setting_t *of = node;
	char label[300] = "", name[120], text[500];
	va_list args;

	/* An entry of [ ] is told by the name of the array. */
	while (of->parent != NULL && config_setting_name(of) == NULL &&
		!config_setting_is_group(of))
		of = of->parent;
	snprintf(name, sizeof name, "%s", node_name(of));
	if (of->parent != NULL) {
		const struct config_setting_t *group = of->parent;

		if (config_setting_is_group(group) && config_setting_name(group) != NULL &&
			group->parent != NULL) {
			snprintf(name, sizeof name, "%s %s", node_name(group), node_name(of));
			group = group->parent;
		}
		node_label(group, label, sizeof label);
	}
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	conf_error(errors, node_path(node), node_line(node), "%s%s%s", label, name, text);
}

/* The value as the user wrote it, for messages; never for secrets. */
static const char *
shown(const struct config_setting_t *node, char *to, size_t size)
{
	char number[40];

	if (node_text(node) != NULL)
		snprintf(to, size, " \"%.80s\"", node_text(node));
	else if (config_setting_type(node) == CONFIG_TYPE_FLOAT)
		snprintf(to, size, " %s", str_number(number, sizeof number, node_number(node)));
	else if (node_is_number(node))
		snprintf(to, size, " %lld", node_integer(node));
	else
		to[0] = '\0';
	return to;
}

static bool
wrong(const struct schema_key *key, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	char value[100] = "";

	if (key->type != SCHEMA_SECRET)
		shown(node, value, sizeof value);
	value_error(node, errors, "%s: expected %s", value, type_words[key->type]);
	return false;
}

static bool
check_range(const struct schema_key *key, const struct config_setting_t *node, double value,
	struct conf_errors *errors)
{
	char is[100], min[40], max[40];

	if (value >= key->min && value <= key->max)
		return true;
	shown(node, is, sizeof is);
	if (key->type == SCHEMA_DURATION || key->type == SCHEMA_INTERVAL) {
		str_time_span(min, sizeof min, (int64_t)(key->min * 1e9));
		str_time_span(max, sizeof max, (int64_t)(key->max * 1e9));
	} else if (key->type == SCHEMA_SIZE) {
		snprintf(min, sizeof min, "%.0fM", key->min / (1 << 20));
		snprintf(max, sizeof max, "%.0fG", key->max / (1 << 30));
	} else {
		str_number(min, sizeof min, key->min);
		str_number(max, sizeof max, key->max);
	}
	if (strcmp(key->key, "unit_id") == 0 && value == 0)
		value_error(node, errors, " 0: is the broadcast address, nobody answers it: give "
			"1 to 255");
	else if (key->type == SCHEMA_INTERVAL && value < 1)
		value_error(node, errors, "%s: must be between %s and %s: what is kept, and so all that "
			"is asked, has whole seconds, and no key forces less", is, min, max);
	else
		value_error(node, errors, "%s: must be between %s and %s", is, min, max);
	return false;
}

static bool
check_duration(const struct schema_key *key, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	int64_t ns;

	if (node_text(node) == NULL || str_duration(node_text(node), &ns, NULL) == -1)
		return wrong(key, node, errors);
	if (!check_range(key, node, (double)ns / 1e9, errors))
		return false;
	if (key->type == SCHEMA_INTERVAL && ns % 1000000000 != 0) {
		value_error(node, errors, " \"%s\": must be whole seconds", node_text(node));
		return false;
	}
	return true;
}

static bool
check_choice(const struct schema_key *key, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	const char *text = node_text(node);
	char list[160], known[160] = "", *rest = list, *word;
	const char *words[16] = { NULL };
	size_t count = 0;
	bool later = false;

	if (text == NULL)
		return wrong(key, node, errors);
	str_copy(list, sizeof list, key->of);
	while ((word = strsep(&rest, "|")) != NULL) {
		size_t used = strlen(known);

		if (word[0] == '!') {
			later = later || strcmp(word + 1, text) == 0;
			continue;
		}
		if (strcmp(word, text) == 0)
			return true;
		words[count++] = word;
		snprintf(known + used, sizeof known - used, "%s\"%s\"",
			used == 0 ? "" : rest == NULL || *rest == '!' ? " and " : ", ", word);
	}
	if (later)
		value_error(node, errors, " \"%.80s\": not supported by this version yet (%s %s %s)",
			text, key->key, known, count == 1 ? "is" : "are");
	else if (str_nearest(text, words) != NULL)
		value_error(node, errors, " \"%.80s\": expected one of %s (did you mean \"%s\"?)",
			text, known, str_nearest(text, words));
	else
		value_error(node, errors, " \"%.80s\": expected one of %s", text, known);
	return false;
}

static bool
check_address(const struct schema_key *key, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	const char *text = node_text(node), *whose = NULL;
	struct net_addr addr;
	struct fail why;
	char host[80];
	int status;

	if (text == NULL)
		return wrong(key, node, errors);
	if (key->type == SCHEMA_ENDPOINT)
		status = schema_endpoint(text, 162, &addr, &why);
	else
		status = net_addr_parse(text, 0, &addr, &why);
	if (status == 0 && key->type == SCHEMA_ADDRESS)
		whose = net_addr_nobodys(&addr);
	if (whose != NULL)
		value_error(node, errors, " \"%.80s\": %s", text, whose);
	if (status == 0)
		return whose == NULL;
	if (strchr(text, '%') != NULL) {
		value_error(node, errors, " %s", why.text);
		return false;
	}
	str_copy(host, sizeof host, text);
	if (key->type == SCHEMA_ENDPOINT)
		host[strcspn(host, ":")] = '\0';
	/* Only a name has a letter and no colon: IPv6 addresses have one. */
	if (strchr(host, ':') == NULL && strpbrk(host, "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ"))
		value_error(node, errors, " \"%.80s\": names are not resolved yet, give the address",
			text);
	else
		return wrong(key, node, errors);
	return false;
}

int
schema_endpoint(const char *text, uint16_t port, struct net_addr *addr, struct fail *why)
{
	char host[80];
	const char *colon = strrchr(text, ':');
	int64_t number;

	str_copy(host, sizeof host, text);
	if (text[0] == '[') { /* [2001:db8::1]:162 */
		str_copy(host, sizeof host, text + 1);
		host[strcspn(host, "]")] = '\0';
		if (text[strlen(host) + 1] != ']')
			return net_addr_parse(text, port, addr, why);
		colon = text[strlen(host) + 2] == '\0' ? NULL : text + strlen(host) + 2;
		if (colon != NULL && *colon != ':')
			return net_addr_parse(text, port, addr, why);
	} else if (colon != NULL && strchr(text, ':') == colon) {
		host[strcspn(host, ":")] = '\0';
	} else {
		colon = NULL; /* IPv6 without a port, or nothing behind */
	}
	if (colon != NULL) {
		if (str_int(colon + 1, &number, why) == -1)
			return -1;
		if (number < 1 || number > 65535) {
			fail_set(why, "port %s: must be between 1 and 65535", colon + 1);
			return -1;
		}
		port = (uint16_t)number;
	}
	return net_addr_parse(host, port, addr, why);
}

/* With a 0 for each "$name": what it stands for is known when a device uses it. */
static void
fill_parameters(const char *text, char *to, size_t size)
{
	size_t used = 0;

	while (*text != '\0' && used + 1 < size) {
		to[used++] = *text == '$' ? '0' : *text;
		text += *text == '$' ? 1 + strcspn(text + 1, ".$") : 1;
	}
	to[used] = '\0';
}

static bool
check_oid(const struct schema_key *key, const struct config_setting_t *node, bool parameters,
	struct conf_errors *errors)
{
	const char *text = node_text(node);
	char filled[SNMP_OID_MAX * 11];
	uint32_t ids[SNMP_OID_MAX];
	size_t count;
	struct fail why;

	if (text != NULL && parameters) {
		fill_parameters(text, filled, sizeof filled);
		text = filled;
	}
	if (text == NULL || snmp_oid_parse(text, ids, &count, &why) == -1)
		return wrong(key, node, errors);
	return true;
}

static bool
check_number(const struct schema_key *key, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	int64_t size;

	if (key->type == SCHEMA_SIZE) {
		if (node_text(node) == NULL || str_size(node_text(node), &size, NULL) == -1)
			return wrong(key, node, errors);
		return check_range(key, node, (double)size, errors);
	}
	if (!node_is_number(node) || (key->type == SCHEMA_INT &&
		config_setting_type(node) == CONFIG_TYPE_FLOAT))
		return wrong(key, node, errors);
	return check_range(key, node, node_number(node), errors);
}

/* A text goes into alarms, traps and JSON: no control characters but the end of a line. */
static bool
check_text(const struct schema_key *key, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	const char *text = node_text(node);

	if (text == NULL)
		return wrong(key, node, errors);
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' && *text != '\n' && *text != '\t') {
			value_error(node, errors, ": control character 0x%02x in the text",
				(unsigned char)*text);
			return false;
		}
	}
	if (key->type == SCHEMA_NAME && !str_is_name(node_text(node)))
		return wrong(key, node, errors);
	return true;
}

static bool
check_each(const struct schema_key *key, enum schema_type type,
	const struct config_setting_t *node, bool parameters, struct conf_errors *errors)
{
	struct schema_key one = *key;
	bool fine = true;

	one.type = type;
	if (!config_setting_is_array(node) && !config_setting_is_list(node)) {
		if (type == SCHEMA_OID || type == SCHEMA_FLOAT || type == SCHEMA_WORD)
			return schema_check_value(&one, node, parameters, errors);
		return wrong(key, node, errors);
	}
	for (int i = 0; i < node_count(node); i++)
		fine = schema_check_value(&one, node_at(node, i), parameters, errors) && fine;
	return fine;
}

static bool
check_hops(const struct schema_key *key, const struct config_setting_t *node, int depth,
	struct conf_errors *errors)
{
	bool fine = true;

	if (!config_setting_is_array(node) && !config_setting_is_list(node))
		return wrong(key, node, errors);
	for (int i = 0; i < node_count(node); i++) {
		const struct config_setting_t *hop = node_at(node, i);

		if (node_text(hop) == NULL)
			fine = (depth == 0 ? check_hops(key, hop, 1, errors) :
				wrong(key, hop, errors)) && fine;
	}
	if (node_count(node) == 0)
		value_error(node, errors, ": is empty");
	return fine;
}

static bool
check_groups(const struct schema_key *key, const struct config_setting_t *node,
	bool parameters, struct conf_errors *errors)
{
	size_t before = errors->count;

	if (key->type == SCHEMA_LIST ? !config_setting_is_list(node) :
		!config_setting_is_group(node))
		/* ( ) and [ ] are the same to people while they are empty. */
		return (config_setting_is_array(node) && node_count(node) == 0) ||
			wrong(key, node, errors);
	if (key->type == SCHEMA_GROUP) {
		schema_check(node, key->of, parameters, errors);
		return errors->count == before;
	}
	for (int i = 0; i < node_count(node); i++) {
		const struct config_setting_t *entry = node_at(node, i);

		if (key->type == SCHEMA_VALUES) {
			if (!node_is_number(entry) && node_text(entry) == NULL)
				value_error(entry, errors, ": expected %s",
					type_words[SCHEMA_VALUE]);
		} else if (!config_setting_is_group(entry)) {
			wrong(key, entry, errors);
		} else {
			schema_check(entry, key->of, parameters, errors);
		}
	}
	return errors->count == before;
}

bool
schema_check_value(const struct schema_key *key, const struct config_setting_t *node,
	bool parameters, struct conf_errors *errors)
{
	if (parameters && node_text(node) != NULL && node_text(node)[0] == '$')
		return true; /* template.c looks whether there is such a parameter */
	switch (key->type) {
	case SCHEMA_TEXT:
	case SCHEMA_SECRET:
	case SCHEMA_NAME:
		return check_text(key, node, errors);
	case SCHEMA_WORD:
		return (node_is_number(node) && config_setting_type(node) != CONFIG_TYPE_FLOAT) ||
			check_text(key, node, errors);
	case SCHEMA_CHOICE:
		return check_choice(key, node, errors);
	case SCHEMA_BOOL:
		return config_setting_type(node) == CONFIG_TYPE_BOOL || wrong(key, node, errors);
	case SCHEMA_INT:
	case SCHEMA_FLOAT:
	case SCHEMA_SIZE:
		return check_number(key, node, errors);
	case SCHEMA_DURATION:
	case SCHEMA_INTERVAL:
		return check_duration(key, node, errors);
	case SCHEMA_ADDRESS:
	case SCHEMA_ENDPOINT:
		return check_address(key, node, errors);
	case SCHEMA_OID:
		return check_oid(key, node, parameters, errors);
	case SCHEMA_OIDS:
		return check_each(key, SCHEMA_OID, node, parameters, errors);
	case SCHEMA_TEXTS:
		return check_each(key, SCHEMA_TEXT, node, parameters, errors);
	case SCHEMA_WORDS:
		return check_each(key, SCHEMA_WORD, node, parameters, errors);
	case SCHEMA_NAMES:
		return check_each(key, SCHEMA_NAME, node, parameters, errors);
	case SCHEMA_INTS:
		return check_each(key, SCHEMA_INT, node, parameters, errors);
	case SCHEMA_FLOATS:
		return check_each(key, SCHEMA_FLOAT, node, parameters, errors);
	case SCHEMA_VALUE:
		return node_is_number(node) || node_text(node) != NULL || wrong(key, node, errors);
	case SCHEMA_HOPS:
		return check_hops(key, node, 0, errors);
	case SCHEMA_GROUP:
	case SCHEMA_LIST:
	case SCHEMA_MAP:
	case SCHEMA_VALUES:
		return check_groups(key, node, parameters, errors);
	case SCHEMA_LATER:
		value_error(node, errors, ": not supported by this version yet%s%s",
			key->of == NULL ? "" : ": ", key->of == NULL ? "" : key->of);
		return false;
	}
	return false;
}

static void
unknown_key(const struct config_setting_t *node, const char *section,
	struct conf_errors *errors)
{
	const char *words[64] = { NULL }, *near;
	const struct config_setting_t *group = node->parent;
	char label[300];
	size_t count = 0;

	for (size_t i = 0; i < schema_key_count && count < 63; i++) {
		if (strcmp(schema_keys[i].section, section) == 0)
			words[count++] = schema_keys[i].key;
	}
	near = str_nearest(node_name(node), words);
	node_label(group, label, sizeof label);
	conf_error(errors, node_path(node), node_line(node), "%sunknown key \"%.60s\"%s%s%s", label,
		node_name(node), near == NULL ? "" : " (did you mean \"",
		near == NULL ? "" : near, near == NULL ? "" : "\"?)");
}

void
schema_check(const struct config_setting_t *group, const char *section, bool parameters,
	struct conf_errors *errors)
{
	for (int i = 0; i < node_count(group); i++) {
		const struct config_setting_t *node = node_at(group, i);
		const struct schema_key *key = schema_find(section, node_name(node));

		if (key == NULL)
			unknown_key(node, section, errors);
		else
			schema_check_value(key, node, parameters ||
				(section[0] == '\0' && strcmp(key->key, "templates") == 0), errors);
	}
	for (size_t i = 0; i < schema_key_count; i++) {
		const struct schema_key *key = &schema_keys[i];

		if (key->required && strcmp(key->section, section) == 0 &&
			node_get(group, key->key) == NULL)
			node_error(group, errors, "missing key \"%s\" (%s)", key->key, key->help);
	}
}
