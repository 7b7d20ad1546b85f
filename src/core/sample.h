/* sample.h - what became of one slot of one series: a value, or one reason why not.
 *
 * Words and classes are the contract of DESIGN: ledger, traps, JSON and graphs use them. The
 * numbers are stored in journals and ledgers: never change one, only add. */
#ifndef PW_SAMPLE_H
#define PW_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reason {
	REASON_GOOD = 0,
	/* the sample came and counts as good; its rate is unknown */
	REASON_FIRST = 1,
	REASON_DISCONTINUITY = 2,
	/* lost: the plant's */
	REASON_TIMEOUT = 10,
	REASON_UNREACHABLE = 11,
	REASON_GATEWAY = 12, /* Modbus exceptions 0x0A, 0x0B */
	REASON_NO_SUCH_ROW = 13,
	REASON_BAD_REPLY = 14,
	REASON_INVALID_VALUE = 15,
	REASON_FROZEN = 16,
	REASON_PARENT_DOWN = 17,
	REASON_BREAKER = 18,
	/* unmeasured: ours, or our access */
	REASON_POLLER_DOWN = 40,
	REASON_ISOLATED = 41,
	REASON_OVERRUN = 42,
	REASON_STORE_FULL = 43,
	REASON_CLOCK_STEP = 44,
	REASON_CONFIG = 45,
	REASON_AUTH = 46,
	REASON_REFUSED = 47,
	REASON_WRONG_SOURCE = 48,
	REASON_TOO_BIG = 49,
	REASON_NO_SUCH_OBJECT = 50,
	REASON_PAUSED = 51,
	/* lost: Modbus exception N is REASON_EXCEPTION + N, N = 1..127 */
	REASON_EXCEPTION = 128,
};
enum reason_class { CLASS_GOOD, CLASS_NO_RATE, CLASS_LOST, CLASS_UNMEASURED };

/* "timeout", "exception-2", ...; "reason-77" for a number this version does not know. */
const char *reason_word(uint8_t reason);
/* The inverse; -1 for an unknown word. */
int reason_parse(const char *word);
enum reason_class reason_class(uint8_t reason);
const char *reason_class_word(enum reason_class class); /* good no-rate lost unmeasured */
static inline bool
reason_counts_as_good(uint8_t reason)
{
	return reason <= REASON_DISCONTINUITY;
}

struct series;
struct series_catalogue;

/* One slot closed. series is valid during the call, in both: only its id is for keeping. value
 * is what goes into the RRD (a counter's rate); NaN unless reason is REASON_GOOD. raw is the
 * reading itself where has_raw: of counters the count, else in two's complement, or without a sign
 * where it is `beyond` INT64_MAX. */
struct sample {
	const struct series *series;
	int64_t slot;     /* slot k stands for wall time k x step */
	int64_t received; /* wall ns when the answer came; of the verdict if there was none */
	uint8_t reason;
	bool has_raw, beyond;
	double value;
	uint64_t raw;
	const char *text; /* text points only, else NULL; valid during the call */
};

/* What one answer brought of a row, at most so many: slots closed of series whose ids follow one
 * another and which have one step; no texts. All that they have in common is done once for all
 * of them. */
#define SAMPLE_BATCH 64
struct sample_item {
	double value; /* these five as in struct sample */
	uint64_t raw;
	uint8_t reason;
	bool has_raw, beyond;
	uint8_t kind; /* enum point_kind */
};
struct sample_batch {
	struct series_catalogue *catalogue; /* has them all */
	uint32_t first, count;              /* id of items[0], how many */
	int64_t slot, step, received;       /* step: ns */
	bool good;                          /* every one counts as good */
	bool plain;                         /* and is REASON_GOOD, with value and raw */
	/* Of each counter the raw, read at mono ns `mono`, is the base of its next rate from now
	 * on. For latest, which keeps both in one row. */
	bool bases;
	int64_t mono;
	const struct sample_item *items;
};
/* One of them by itself; its series is lent, as everywhere. */
void sample_of_batch(const struct sample_batch *batch, uint32_t i, struct sample *sample);

/* Slots first..last closed with the same reason (never a good one). */
struct sample_run {
	const struct series *series;
	int64_t first, last;
	int64_t decided; /* wall ns */
	uint8_t reason;
};
#endif
