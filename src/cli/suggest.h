/* suggest.h - which templates fit a device, from its sysObjectID and from what it has.
 *
 * A template that names sysObjectIDs is considered for those only, any other one for every
 * device; of either at least one object must be there, and something below one of the OIDs in
 * match.has if there are any. Templates that cannot stand beside each
 * other (a table or a point of the same name, a parameter with two values) go by how much of
 * the sysObjectID they name, then by how many of their objects are there. The same goes for two
 * that ask for the same columns for the most part, whatever they call the table; and one that
 * finds no more than what it inherits gives way to that. Pure. */
#ifndef PW_SUGGEST_H
#define PW_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct offer;
struct scout_object;

struct candidate {
	const struct offer *offer;
	size_t fits;      /* arcs of the sysObjectID that it names; 0: names none */
	char (*values)[12]; /* beside offer->parameters: from the sysObjectID, or "" */
	/* Numbers in the objects of the suggestion: its own, then the has_count subtrees. */
	size_t *wants;
	size_t want_count, has_count;
	size_t found;
	bool chosen;
	char why_not[160]; /* it has objects there, but was not chosen */
};
struct suggestion {
	struct candidate *items; /* in the order of the offers */
	size_t count;
	struct scout_object *objects; /* of all candidates, each once: to be looked for */
	size_t object_count;
	uint32_t (*ids)[128]; /* beside objects */
};

void suggest_begin(struct suggestion *suggestion, const struct offer *offers, size_t count,
	const uint32_t *object_id, size_t object_id_count);
/* After the objects were looked for: fills found, chosen and why_not. */
void suggest_choose(struct suggestion *suggestion);
void suggest_free(struct suggestion *suggestion); /* what is in it */

/* A device's name from its sysName: what a name may not have becomes '-'. `to` has 41 bytes.
 * Without any letter or digit: from the address. */
const char *suggest_name(char *to, const char *sys_name, const char *address);
#endif
