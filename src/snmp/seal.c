#include "snmp/seal.h"

#include <string.h>

#include "snmp/ber.h"
#include "snmp/ber_out.h"
#include "snmp/fast.h"
#include "snmp/usm.h"

#define VERSION_3 3
#define MODEL_USM 3
#define MESSAGE_MAX 65507 /* of UDP over IPv4 */

/* The scoped PDU, encrypted in its place where the keys say so. */
static int
put_scoped(struct pen *pen, const struct seal *seal, const struct session_request *request,
	const struct usm_start *start)
{
	const uint8_t *end = pen->at;

	fast_put_pdu(pen, seal->id, request);
	put_octets(pen, seal->context, strlen(seal->context));
	put_octets(pen, seal->engine, seal->engine_size);
	put_head(pen, end, TAG_SEQUENCE);
	if (seal->keys->priv == SNMP_PRIV_NONE)
		return 0;
	if (pen->at == NULL || usm_encrypt(seal->usm, seal->keys, start, pen->at,
			(size_t)(end - pen->at), pen->at) == -1)
		return -1;
	put_head(pen, end, TAG_OCTETS);
	return 0;
}

/* UsmSecurityParameters; *hole is where the digest will stand. */
static void
put_usm(struct pen *pen, const struct seal *seal, const struct usm_start *start, uint8_t **hole)
{
	static const uint8_t zeros[USM_DIGEST_MAX];
	const uint8_t *end = pen->at, *digest;
	size_t digest_size = usm_digest_size(seal->keys->auth);

	put_octets(pen, start->salt, seal->keys->priv != SNMP_PRIV_NONE ? USM_SALT : 0);
	digest = pen->at;
	put_bytes(pen, zeros, digest_size);
	*hole = pen->at;
	put_head(pen, digest, TAG_OCTETS);
	put_octets(pen, seal->user, strlen(seal->user));
	put_integer(pen, (int32_t)seal->time);
	put_integer(pen, (int32_t)seal->boots);
	put_octets(pen, seal->engine, seal->engine_size);
	put_head(pen, end, TAG_SEQUENCE);
	put_head(pen, end, TAG_OCTETS);
}

static void
put_header(struct pen *pen, const struct seal *seal)
{
	const uint8_t *end = pen->at;
	uint8_t flags = BER_REPORTABLE | (seal->keys->auth != SNMP_AUTH_NONE ? BER_AUTH : 0) |
		(seal->keys->priv != SNMP_PRIV_NONE ? BER_PRIV : 0);

	put_integer(pen, MODEL_USM);
	put_octets(pen, &flags, 1);
	put_integer(pen, MESSAGE_MAX);
	put_integer(pen, seal->id);
	put_head(pen, end, TAG_SEQUENCE);
}

uint8_t *
seal_write(const struct seal *seal, const struct session_request *request, uint8_t *room,
	size_t size, size_t *written)
{
	struct usm_start start = { .boots = seal->boots, .time = seal->time };
	struct pen pen = { room, room + size };
	uint8_t *end = room + size, *hole;

	memcpy(start.salt, &seal->salt, USM_SALT);
	if (put_scoped(&pen, seal, request, &start) == -1)
		return NULL;
	put_usm(&pen, seal, &start, &hole);
	put_header(&pen, seal);
	put_integer(&pen, VERSION_3);
	put_head(&pen, end, TAG_SEQUENCE);
	if (pen.at == NULL)
		return NULL;
	*written = (size_t)(end - pen.at);
	if (seal->keys->auth != SNMP_AUTH_NONE &&
		usm_digest(seal->usm, seal->keys, pen.at, *written, hole, hole) == -1)
		return NULL;
	return pen.at;
}

bool
seal_is_authentic(struct usm *usm, const struct usm_keys *keys, const uint8_t *data, size_t size,
	const struct ber_peek *peek)
{
	return peek->flags & BER_AUTH && keys->auth != SNMP_AUTH_NONE &&
		usm_is_authentic(usm, keys, data, size, peek->digest.at, peek->digest.size);
}

int
seal_open(struct usm *usm, const struct usm_keys *keys, struct ber_peek *peek, uint8_t *room)
{
	struct usm_start start = { .boots = peek->engine_boots, .time = peek->engine_time };

	if (!(peek->flags & BER_PRIV))
		return 0;
	if (keys->priv == SNMP_PRIV_NONE || peek->salt.size != USM_SALT)
		return -1;
	memcpy(start.salt, peek->salt.at, USM_SALT);
	if (usm_decrypt(usm, keys, &start, peek->sealed.at, peek->sealed.size, room) == -1)
		return -1;
	return ber_peek_scoped(room, peek->sealed.size, peek);
}
