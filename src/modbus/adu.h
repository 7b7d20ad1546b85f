/* adu.h - Modbus frames: questions into bytes, bytes into checked answers.
 *
 * The only encoder in the tree. It can ask functions 1 to 4 and, by two calls of their own
 * that only an explicit probe makes, 43/14 and 17; nothing that writes can be expressed.
 * Pure: no I/O, no allocation, no state. Knows MBAP (Modbus Messaging on TCP/IP 1.0b, 3.1)
 * and RTU frames (Modbus over Serial Line 1.02, 2.5.1); when to send and how long to wait
 * is the line's business. */
#ifndef PW_ADU_H
#define PW_ADU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ADU_MAX = 260,     /* longest frame: MBAP header 7 + PDU 253; RTU has at most 256 */
	ADU_MAX_REGS = 125, /* Application Protocol 1.1b3, 6.3 and 6.4 */
	ADU_MAX_BITS = 2000 /* ... 6.1 and 6.2 */
};

enum adu_framing { ADU_MBAP, ADU_RTU };

enum adu_function {
	ADU_COILS = 1,
	ADU_DISCRETE_INPUTS = 2,
	ADU_HOLDING_REGISTERS = 3,
	ADU_INPUT_REGISTERS = 4
};

struct adu_read {
	enum adu_framing framing;
	uint16_t tid; /* MBAP only */
	uint8_t unit; /* 1..255, RTU 1..247; 0 would be a broadcast on a serial bus */
	enum adu_function function;
	uint16_t address; /* as in the PDU, counted from 0 */
	uint16_t count;   /* registers or bits */
};

/* What the answer must look like; the encoder fills it, adu_feed checks against it. */
struct adu_expect {
	enum adu_framing framing;
	uint16_t tid;
	uint8_t unit;
	bool any_unit;    /* unit_check = off: for a single device that answers as another */
	uint8_t function;
	uint8_t bytes;    /* of data; 0: the answer tells (functions 17 and 43) */
};

/* The three ways to make a question. Each returns the length of the frame, or -1 and
 * leaves to and expect alone: unit, function, count or address + count out of range, or
 * size below ADU_MAX. expect may be NULL. */
int adu_encode_read(const struct adu_read *read, uint8_t *to, size_t size,
	struct adu_expect *expect);

/* Function 43/14, read device identification: code 1 to 4 (basic, regular, extended, one
 * object), from object on. For probe only. Application Protocol 1.1b3, 6.21. */
int adu_encode_identify(enum adu_framing framing, uint16_t tid, uint8_t unit, uint8_t code,
	uint8_t object, uint8_t *to, size_t size, struct adu_expect *expect);

/* Function 17, report server id. For probe only; 6.13. */
int adu_encode_server_id(enum adu_framing framing, uint16_t tid, uint8_t unit, uint8_t *to,
	size_t size, struct adu_expect *expect);

enum adu_verdict {
	ADU_NEED_MORE, /* right so far */
	ADU_ANSWER,    /* the expected answer, every check passed */
	ADU_EXCEPTION, /* a correct refusal: code */
	ADU_OTHER_TID, /* MBAP: a whole frame that carries another tid, or none is expected */
	ADU_ERROR      /* not a frame, or not the answer: why */
};

struct adu_answer {
	size_t size;         /* bytes of this frame; what follows in buf is another one */
	uint16_t tid;        /* MBAP */
	uint8_t unit;
	uint8_t code;        /* of an exception */
	bool short_length;   /* the header said 2 for an exception of 3: known bug of servers */
	const uint8_t *data; /* points into buf: registers or bits, behind the byte count */
	size_t data_size;
	const char *why;     /* bad-protocol bad-length bad-unit bad-function bad-byte-count
	                        bad-count bad-crc; never NULL after ADU_ERROR */
};

/* Looks at all that came so far, from the first byte of a frame; call again with more
 * after ADU_NEED_MORE. Never reads beyond len. expect NULL: nothing was asked, so a whole
 * MBAP frame gives ADU_OTHER_TID and in RTU any byte is an error. */
enum adu_verdict adu_feed(const struct adu_expect *expect, const uint8_t *buf, size_t len,
	struct adu_answer *answer);

/* Bit n of a bit answer; the padding of the last byte is never looked at by callers that
 * stay below the count they asked for. */
bool adu_bit(const uint8_t *data, size_t n);

/* CRC-16 of RTU frames; goes on the wire low byte first. */
uint16_t adu_crc(const uint8_t *bytes, size_t len);

/* "illegal data address" and the like; NULL for a code the specification does not know. */
const char *adu_exception_text(uint8_t code);
#endif
