/* rule.h - which rule of SNMP on the wire a datagram breaks, in words.
 *
 * A second reader of the message's shape, written from the RFCs and without a look at
 * src/snmp/ber.c: it explains what the decoders there refuse. */
#ifndef FUZZ_RULE_H
#define FUZZ_RULE_H

#include <stddef.h>
#include <stdint.h>

/* The first rule broken by a message of version 1 or 2c; NULL when it is sound. */
const char *rule_broken(const uint8_t *data, size_t size);
#endif
