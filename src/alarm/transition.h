/* transition.h - one change of one alarm: what is journalled, and what receivers are told.
 *
 * All texts are cut to the sizes of POLLWERK-MIB and hold one line without quotes, so a
 * notice made of a transition later, or once more, is the same byte for byte. */
#ifndef PW_TRANSITION_H
#define PW_TRANSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/severity.h"
struct record_buffer;
struct record_cursor;

/* The numbers of PwTransition. */
enum transition_kind {
	TRANSITION_RAISE = 1,
	TRANSITION_CHANGE = 2,
	TRANSITION_CLEAR = 3,
	TRANSITION_REPEAT = 4,
	TRANSITION_RESYNC = 5,
};
/* The numbers of the notifications in POLLWERK-MIB: for an alarm the one that raises; the
 * next one clears. */
enum condition {
	CONDITION_DEVICE_DOWN = 1,
	CONDITION_PATH_IMPAIRED = 3,
	CONDITION_THRESHOLD = 5,
	CONDITION_DATA_STALE = 7,
	CONDITION_POLLER_IMPAIRED = 9,
	CONDITION_STARTED = 20, /* about the poller: no alarm, no key, id 0 */
	CONDITION_STOPPING = 21,
};
const char *condition_word(enum condition condition); /* device-down path-impaired ... */

#define ALARM_KEY 128
#define ALARM_POINT 256

struct transition {
	uint32_t sequence;   /* pwNotifySeq; 0: nobody is told (suppressed) */
	uint32_t id;         /* pwAlarmId */
	enum transition_kind kind;
	enum condition condition;
	bool suppressed;     /* behind another alarm: `root` */
	enum severity severity; /* of the alarm; SEVERITY_CLEARED in a clear. Started: the worst open */
	uint16_t cause;      /* PwCause */
	uint32_t open;       /* started, stopping: alarms open */
	uint32_t lost;       /* started, stopping: notices given up so far */
	uint32_t uptime;     /* hundredths of a second since the poller began, for sysUpTime */
	int64_t time;        /* wall ns of the decision */
	int64_t since;       /* wall ns when it was raised */
	char key[ALARM_KEY + 1];
	char point[ALARM_POINT + 1]; /* whole point path of a threshold; "" otherwise */
	char device[41], address[65], path[41], object[65];
	char value[25], threshold[25], unit[17], text[121];
	char root[65], budget[13], owner[33], place[65];
};

/* Body of KIND_ALARM and of each open alarm in KIND_ALARM_STATE, numbers little-endian:
 *   u32 sequence, u32 id, u8 kind, u8 condition, u8 suppressed, u8 severity, u16 cause,
 *   u32 open, u32 lost, u32 uptime, i64 time, i64 since, then as texts (u32 length, bytes): key, point,
 *   device, address, path, object, value, threshold, unit, text, root, budget, owner, place */
void transition_put(const struct transition *transition, struct record_buffer *body);
int transition_get(struct transition *transition, struct record_cursor *cursor); /* -1 damaged */

/* Copies as one printable line without quotes; what is too long is cut between characters
 * (UTF-8) and ends in '~'. */
void transition_text(char *to, size_t size, const char *text);
/* A number for people and for PwNumber: "71.2", "12345678901", "NaN"; no locale. */
const char *transition_number(char *to, size_t size, double value);
/* "NAME/SUBJECT"; longer than 128 characters: cut, '~', 8 hex digits of the hash. */
void transition_key(char *to, size_t size, const char *name, const char *subject);
#endif
