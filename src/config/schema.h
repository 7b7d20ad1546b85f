/* schema.h - every key of the configuration, in one table: type, range, default, explanation.
 *
 * The checker, the parser's defaults and the tests of the documentation read it. A section is
 * a kind of group ("device", "point"); the file as a whole is the section "". */
#ifndef PW_SCHEMA_H
#define PW_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct conf_errors;
struct config_setting_t;
struct fail;
struct net_addr;

enum schema_type {
	SCHEMA_TEXT,     /* free text */
	SCHEMA_NAME,     /* str_is_name */
	SCHEMA_CHOICE,   /* of: "a|b"; "!c" is known, but refused by this version */
	SCHEMA_BOOL,
	SCHEMA_INT,      /* min..max */
	SCHEMA_FLOAT,    /* min..max; an integer will do */
	SCHEMA_DURATION, /* min..max in seconds */
	SCHEMA_INTERVAL, /* a duration in whole seconds */
	SCHEMA_SIZE,     /* min..max in bytes */
	SCHEMA_ADDRESS,  /* a literal IP address */
	SCHEMA_ENDPOINT, /* IP address, and a port if it is not the usual one */
	SCHEMA_SECRET,   /* text, or "@cred:NAME" */
	SCHEMA_OID,      /* dotted numbers */
	SCHEMA_OIDS,     /* one, or [ ] of them: the first that is there is used */
	SCHEMA_TEXTS,    /* [ ] of text */
	SCHEMA_WORD,     /* text or an integer */
	SCHEMA_WORDS,    /* one, or [ ] of them */
	SCHEMA_NAMES,    /* [ ] of names */
	SCHEMA_INTS,     /* [ ] of integers, each min..max */
	SCHEMA_FLOATS,   /* one number, or [ ] of them */
	SCHEMA_GROUP,    /* { } of section `of` */
	SCHEMA_LIST,     /* ( { }, { } ) of section `of` */
	SCHEMA_MAP,      /* { key = { } } with free keys, each of section `of` */
	SCHEMA_VALUES,   /* { key = number or text } with free keys */
	SCHEMA_VALUE,    /* a number or a text */
	SCHEMA_HOPS,     /* ( "a", ( "b", "c" ) ) */
	SCHEMA_LATER,    /* known, but refused by this version; of: what to do instead, or NULL */
};

struct schema_key {
	const char *section, *key;
	enum schema_type type;
	double min, max;
	const char *fallback; /* default as one would write it; NULL: none */
	const char *of;
	bool required;
	const char *help;     /* one line, for people */
};

extern const struct schema_key schema_keys[];
extern const size_t schema_key_count;

const struct schema_key *schema_find(const char *section, const char *key); /* or NULL */

/* Reports unknown keys, wrong types and ranges, missing and refused keys of this group and
 * all below. parameters: "$name" may stand in the place of a value (in templates). */
void schema_check(const struct config_setting_t *group, const char *section, bool parameters,
	struct conf_errors *errors);
/* One value against its key; false when something was reported. */
bool schema_check_value(const struct schema_key *key, const struct config_setting_t *node,
	bool parameters, struct conf_errors *errors);

/* "10.1.0.5:162", "10.1.0.5", "[2001:db8::1]:162"; port is what it is when none is given. */
int schema_endpoint(const char *text, uint16_t port, struct net_addr *addr, struct fail *why);
#endif
