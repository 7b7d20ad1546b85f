/* notice.h - a transition as the SNMPv2 notification that receivers get.
 *
 * The objects and their order are those of POLLWERK-MIB and never change. Encoded by
 * Net-SNMP, without a session of its own: no socket, no file. The same transition gives the
 * same bytes but for the request id. */
#ifndef PW_NOTICE_H
#define PW_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct snmp_pdu;
struct transition;
struct v3;

/* One Ethernet frame with IP and UDP in front, with room for a tunnel's header. */
#define NOTICE_MAX 1400
/* What version 3 puts around it: both engine IDs, user and context, digest, salt, padding. The
 * longest texts may need a second frame then. */
#define NOTICE_V3_MAX (NOTICE_MAX + 240)

struct notice_sender {
	const uint32_t *enterprise; /* where POLLWERK-MIB hangs */
	size_t enterprise_count;    /* at most 20 */
	const char *poller;         /* poller.name, at most 40 bytes are sent */
	const char *version;        /* PW_VERSION */
	const char *community;
	struct v3 *v3;              /* NULL: version 2c, by the community */
	bool inform;                /* InformRequest, else SNMPv2-Trap */
};

/* Before the first notice: keeps Net-SNMP from its files. Any number of times. */
void notice_prepare(void);
/* `to` has room bytes. 0 and *size, or -1 and why (Net-SNMP's reason, or no room). With v3
 * the bytes may be what has to go first: see v3_write. */
int notice_encode(const struct transition *transition, const struct notice_sender *sender,
	uint32_t request_id, uint8_t *to, size_t room, size_t *size, struct fail *why);
/* The error-status of an answer that v3_read has given; frees it. */
long notice_answer_status(struct snmp_pdu *answer);
#endif
