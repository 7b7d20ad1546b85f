/* form.h - the question that all devices of one template are asked nearly always: its objects
 * and their varbinds as a request has them, made once for all of them.
 *
 * Points by the first of their OIDs, sysUpTime before them. Plans whose groups have the same
 * points hold the same form; the points stay the inventory's, which outlives its plans. What
 * only one device has is not written. Sends nothing, knows no answers. */
#ifndef PW_FORM_H
#define PW_FORM_H

#include <stddef.h>
#include <stdint.h>
#include "snmp/snmp.h"
struct group;

struct form_text {
	size_t count; /* objects: one more than points, as the first is sysUpTime */
	/* Their varbinds one behind the other, all lengths of one octet; the first takes so many. */
	const uint8_t *list;
	uint32_t list_size, first_size;
	struct snmp_oid objects[];
};

struct form {
	uint32_t point_count, count;  /* points; with the informations behind them */
	const struct form_text *text; /* NULL: does not fit one request, or one device has it */
};

/* Zeroed at first; outlives its forms. */
struct forms {
	struct form_entry **buckets;
	size_t room, count; /* 2^n buckets, or 0; forms */
};
void forms_free(struct forms *forms);

const struct form *form_hold(struct forms *forms, const struct group *group);
void form_release(struct forms *forms, const struct form *form); /* NULL is fine */

/* Octets of an answer that an object will take, as far as one can know. */
size_t form_bytes(const struct group *group, size_t point, const struct snmp_oid *oid);
/* So many fit one Ethernet frame, IP, UDP and message head taken off. */
#define FORM_ANSWER_BYTES 1400
#define FORM_POINTS 126 /* of one request, sysUpTime comes beside them */
#endif
