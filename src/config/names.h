/* names.h - MIB names in the place of OIDs: "IF-MIB::ifHCInOctets" becomes numbers in the trees,
 * before anything looks at them.
 *
 * The process that checks reads MIB files (snmp/mib.h) and puts what it found into the bundle,
 * a line "NAME NUMBERS" each; whoever parses the bundle takes them from there. */
#ifndef PW_NAMES_H
#define PW_NAMES_H

struct conf;
struct conf_errors;

/* Where each name's numbers are taken from. */
enum names_from {
	NAMES_FILES,  /* MIB files; the bundle gets what was found */
	NAMES_BUNDLE,
	NAMES_NOWHERE /* who only looks asks no device: each becomes 0.0 */
};
/* In all trees of the configuration. Reports each name that means nothing, at its place. */
void names_resolve(struct conf *conf, enum names_from from, struct conf_errors *errors);
#endif
