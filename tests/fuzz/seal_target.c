#include "fuzz/targets.h"

#include <stdlib.h>
#include <string.h>

#include "snmp/ber.h"
#include "snmp/fast.h"
#include "snmp/seal.h"
#include "snmp/usm.h"

/* What is within what lies between, or nowhere. */
static bool
lies_in(const struct ber_octets *octets, const uint8_t *begin, size_t size)
{
	return octets->size == 0 ||
		(octets->at >= begin && octets->at + octets->size <= begin + size);
}

/* The scoped PDU as it is when it has been decrypted, at the end of its own memory. */
static void
read_scoped(struct ber_peek *peek, const uint8_t *data, size_t size)
{
	static struct fast_room room;
	uint8_t *plain = own(data, size);
	size_t count;

	if (ber_peek_scoped(plain, size, peek) == 0) {
		expect(lies_in(&peek->context_engine, plain, size));
		expect(lies_in(&peek->context, plain, size));
		if (fast_read(peek, &room, &count) == 0)
			expect(count <= size);
	}
	free(plain);
}

/* A message that an attacker has signed: what the digest keeps out must do no harm either. */
int
fuzz_seal(const uint8_t *data, size_t size)
{
	static struct usm *usm;
	struct usm_keys keys = { .auth = SNMP_AUTH_NONE, .priv = SNMP_PRIV_NONE };
	struct ber_peek peek = { .version = BER_V3 };
	uint8_t *copy, *room, which;

	if (size == 0)
		return 0;
	if (usm == NULL)
		usm = usm_new();
	which = data[0];
	read_scoped(&peek, data + 1, size - 1);
	copy = own(data + 1, --size);
	room = malloc(size + 1);
	keys.auth = (enum snmp_auth)(SNMP_AUTH_MD5 + which % 6);
	keys.priv = (enum snmp_priv)(SNMP_PRIV_AES + which / 6 % 3);
	if (room != NULL && ber_peek_head(copy, size, &peek) == 0 && peek.version == BER_V3 &&
		peek.flags & BER_AUTH) {
		expect(lies_in(&peek.user, copy, size) && lies_in(&peek.digest, copy, size));
		expect(lies_in(&peek.salt, copy, size) && lies_in(&peek.sealed, copy, size));
		if (peek.digest.size == usm_digest_size(keys.auth))
			usm_digest(usm, &keys, copy, size, peek.digest.at,
				copy + (peek.digest.at - copy));
		expect(seal_is_authentic(usm, &keys, copy, size, &peek) ==
			(peek.digest.size == usm_digest_size(keys.auth)));
		if (seal_open(usm, &keys, &peek, room) == 0)
			expect(peek.list != NULL);
	}
	free(copy);
	free(room);
	return 0;
}
