/* scope.h - a key's value: the first of several groups that has it, else the default.
 *
 * A device's modbus.max_regs may stand in the device, in its template, in the template's
 * parent. The values were checked by the schema; what was refused there reads as the default
 * here, without a second message. "$name" is replaced by the device's parameter. */
#ifndef PW_SCOPE_H
#define PW_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct conf_errors;
struct config_setting_t;
struct template;

enum { SCOPE_LEVELS = 14 };

struct scope {
	const char *section; /* whose keys and defaults */
	const struct config_setting_t *levels[SCOPE_LEVELS]; /* the nearest first; NULL is skipped */
	size_t count;
	const struct template *tmpl;          /* whose parameters; may be NULL */
	const struct config_setting_t *given; /* the device's `parameters`; may be NULL */
	struct conf_errors *errors;           /* for a parameter that does not fit */
};

void scope_push(struct scope *scope, const struct config_setting_t *group);
/* NULL: nobody has it. */
const struct config_setting_t *scope_find(const struct scope *scope, const char *key);
/* Puts a parameter's value in the place of "$name". */
const struct config_setting_t *scope_resolve(const struct scope *scope, const char *key,
	const struct config_setting_t *node);

/* The same for arcs within an OID: "1.3.6.1.4.1.8691.7.$arc.1". False: a parameter has no
 * value, or `to` is too small. */
bool scope_expand(const struct scope *scope, const char *text, char *to, size_t size);

/* With the schema's default; a key without one gives 0, false, "". */
const char *scope_text(const struct scope *scope, const char *key);
int64_t scope_int(const struct scope *scope, const char *key);
double scope_number(const struct scope *scope, const char *key);
bool scope_bool(const struct scope *scope, const char *key);
int64_t scope_duration(const struct scope *scope, const char *key); /* ns */
int64_t scope_size(const struct scope *scope, const char *key);     /* bytes */
#endif
