/* hop.h - what is seen at one hop of a path: a device, an interface, a single point.
 *
 * Pure state: fed with closed slots, asked for a verdict. A single lost slot makes a hop
 * suspect, two in a row make it bad; an interface that says itself that it is not up is bad
 * at once. A connection that is not there in one poll may be on its way, in two it is bad; of
 * it an agent that is silent, or hides its connections, says nothing. What we did not measure
 * says nothing. */
#ifndef PW_HOP_H
#define PW_HOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct device;
struct point;

enum hop_verdict { HOP_UNSEEN, HOP_FINE, HOP_SUSPECT, HOP_BAD };

/* A row of closed slots, good or not, of one or several series that stand for one thing. */
struct sight {
	bool told;       /* a slot was closed at all */
	bool unmeasured; /* the newest slot was, by our own fault */
	uint8_t reason;  /* of the newest lost slot */
	uint32_t bad;    /* lost slots in a row */
	int64_t at;      /* wall ns of the newest slot */
	int64_t good_at; /* wall ns when the newest good sample came, 0 never */
	int64_t bad_at;  /* wall ns of the first slot of the row of bad ones */
};
/* slots closed slots, the newest for wall time `at`; a slot that was counted already (of
 * another series of the same thing) is not counted twice, but a good one always counts. */
void sight_tell(struct sight *sight, uint8_t reason, int64_t at, int64_t received,
	uint64_t slots);
enum hop_verdict sight_verdict(const struct sight *sight);

/* A device: its `up` series, and why its other series were last lost. */
struct node {
	char name[41];
	const struct device *device; /* NULL when not in the inventory */
	struct sight up;
	uint8_t reason; /* newest lost reason of any of its series, 0 none since it was up */
};

/* One of the alternatives of a hop, by the name in the configuration. */
struct member {
	const char *name;
	struct node *node;          /* the device it is, or is on */
	bool is_device;
	bool is_connection;         /* of the device to somebody else, as its agent says */
	const struct point *oper;   /* the row's state point, when configured; else NULL */
	bool oper_known;
	double oper_value;          /* ifOperStatus: 1 is up; tcpConnectionState: 5 established */
	int64_t oper_since;         /* wall ns when it took this value, or ceased to be well */
	uint32_t unwell;            /* polls in a row that saw the connection not established */
	struct sight data;          /* all series of the point or row */
};
enum hop_verdict member_verdict(const struct member *member);
/* Down only because all parents of its device are in trouble too. */
bool member_explained(const struct member *member,
	const struct node *(*find)(void *arg, const char *name), void *arg);
/* "sw-core: no answer for 12s: timeout", "sw-hall3/if[ge-1/5]: oper is down for 3s". */
void member_evidence(const struct member *member, int64_t now, char *to, size_t size);
/* "no answer for 12s: timeout" out of a row of bad slots. */
void sight_evidence(const struct sight *sight, const char *what, uint8_t reason, int64_t now,
	char *to, size_t size);
#endif
