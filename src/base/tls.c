#include "base/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cert_parts.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

struct tls {
	SSL_CTX *context;
	unsigned references;
	int64_t ends; /* wall ns: of our certificate; 0: we have none */
};

struct tls_stream {
	struct loop *loop;
	struct net_stream *net;
	SSL *ssl;
	BIO *in, *out; /* ssl's: what came, what is to go */
	struct tls *tls;
	struct net_stream_events events;
	void *arg;
	struct loop_timer soon; /* a failure inside the owner's call */
	char name[256];
	bool reached;  /* the connection stands; TLS may not yet */
	bool up;       /* handshake done */
	bool heard;    /* something came through it */
	bool unarmed;  /* the server asks for a certificate, and we have none */
	bool dead, told, busy, closed;
	int error;
	char why[400];
};

/* ---- whom we believe ---- */

/* The names that a certificate does bear, for the one who has to set server_name. */
static const char *
borne_names(X509 *peer, char *to, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(peer, NID_subject_alt_name, NULL, NULL);
	size_t used = 0;

	to[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && used + 1 < size; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *ip = name->type == GEN_IPADD ? name->d.iPAddress : NULL;
		struct net_addr addr = { 0 };
		char text[80] = "";

		if (name->type == GEN_DNS) {
			snprintf(text, sizeof text, "%.*s", ASN1_STRING_length(name->d.dNSName),
				(const char *)ASN1_STRING_get0_data(name->d.dNSName));
		} else if (ip != NULL && (ASN1_STRING_length(ip) == 4 || ASN1_STRING_length(ip) == 16)) {
			addr.family = ASN1_STRING_length(ip) == 4 ? 4 : 6;
			memcpy(addr.bytes, ASN1_STRING_get0_data(ip), (size_t)ASN1_STRING_length(ip));
			net_addr_text(text, sizeof text, &addr, false);
		}
		if (text[0] != '\0')
			used += (size_t)snprintf(to + used, size - used, "%s%s",
				used > 0 ? ", " : "", text);
	}
	GENERAL_NAMES_free(names);
	if (to[0] == '\0')
		X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, to,
			(int)size);
	for (char *at = to; *at != '\0'; at++)
		*at = (unsigned char)*at < ' ' || *at >= 127 || *at < 0 ? '?' : *at;
	return to[0] == '\0' ? "no name" : to;
}

static void
blame_certificate(struct tls_stream *stream, int result, X509 *at)
{
	char names[90], day[16];

	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		snprintf(stream->why, sizeof stream->why, "name does not match: the server's "
			"certificate is for %s, not for %s (server_name)",
			borne_names(at, names, sizeof names), stream->name);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		snprintf(stream->why, sizeof stream->why, "the server's certificate has expired: "
			"it ended on %s", cert_day(day, cert_time(X509_get0_notAfter(at))));
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		snprintf(stream->why, sizeof stream->why, "the server's certificate is not valid "
			"before %s: is a clock wrong?",
			cert_day(day, cert_time(X509_get0_notBefore(at))));
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		snprintf(stream->why, sizeof stream->why, "the server's certificate is not signed "
			"by our CA: %s", X509_verify_cert_error_string(result));
		break;
	default:
		snprintf(stream->why, sizeof stream->why, "the server's certificate: %s",
			X509_verify_cert_error_string(result));
	}
}

/* Called for each certificate of the chain; once it fails OpenSSL keeps none of them. */
static int
verified(int fine, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	X509 *at = X509_STORE_CTX_get_current_cert(store);

	if (fine != 1)
		blame_certificate(SSL_get_app_data(ssl), X509_STORE_CTX_get_error(store),
			at != NULL ? at : X509_STORE_CTX_get0_cert(store));
	return fine;
}

/* ---- who we are ---- */

/* Asked for by OpenSSL only when there is no certificate of ours. */
static int
without_certificate(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	struct tls_stream *stream = SSL_get_app_data(ssl);

	(void)certificate;
	(void)key;
	stream->unarmed = true;
	return 0; /* go on without: some servers only ask */
}

static int
take_ca(SSL_CTX *context, const char *pem, struct fail *why)
{
	STACK_OF(X509) *all = cert_read(pem, why);

	if (all == NULL)
		return -1;
	for (int i = 0; i < sk_X509_num(all); i++)
		X509_STORE_add_cert(SSL_CTX_get_cert_store(context), sk_X509_value(all, i));
	sk_X509_pop_free(all, X509_free);
	return 0;
}

static int
take_certificate(struct tls *tls, const struct tls_options *options, struct fail *why)
{
	SSL_CTX *context = tls->context;
	STACK_OF(X509) *all = cert_read(options->certificate, why);
	EVP_PKEY *key = all == NULL ? NULL : cert_read_key(options->key, why);
	int status = -1;

	if (key == NULL)
		goto out;
	if (SSL_CTX_use_certificate(context, sk_X509_value(all, 0)) != 1 ||
		SSL_CTX_use_PrivateKey(context, key) != 1) {
		fail_set(why, "certificate and key: %s", ERR_reason_error_string(ERR_peek_error()));
		goto out;
	}
	for (int i = 1; i < sk_X509_num(all); i++)
		SSL_CTX_add1_chain_cert(context, sk_X509_value(all, i));
	tls->ends = cert_time(X509_get0_notAfter(sk_X509_value(all, 0)));
	status = 0;
out:
	EVP_PKEY_free(key);
	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	return status;
}

struct tls *
tls_new(const struct tls_options *options, struct fail *why)
{
	struct tls *tls = mem_zero(sizeof *tls);

	tls->references = 1;
	ERR_clear_error();
	tls->context = SSL_CTX_new(TLS_client_method());
	if (tls->context == NULL) {
		fail_set(why, "TLS: %s", ERR_reason_error_string(ERR_peek_error()));
		goto fail;
	}
	SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
	SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* 34 kB a connection that nobody needs between two polls. */
	SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
	/* Each connection looks at the certificate anew: it may have been renewed, or ended. */
	SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, verified);
	/* What stands in our file is believed, be it an intermediate CA or the device's own
	 * certificate, signed by itself. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls->context), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_client_cert_cb(tls->context, without_certificate);
	if (take_ca(tls->context, options->ca, why) == -1)
		goto fail;
	if (options->certificate[0] != '\0' &&
		take_certificate(tls, options, why) == -1)
		goto fail;
	return tls;
fail:
	tls_unref(tls);
	return NULL;
}

struct tls *
tls_ref(struct tls *tls)
{
	tls->references++;
	return tls;
}

void
tls_unref(struct tls *tls)
{
	if (tls == NULL || --tls->references > 0)
		return;
	SSL_CTX_free(tls->context);
	free(tls);
}

/* ---- why it does not work, in words ---- */

/* What the server says of us (RFC 8446, 6.2). */
static void
blame_us(struct tls_stream *stream, int alert)
{
	/* 116 is of TLS 1.3, and OpenSSL 3.0 has no words for it. */
	const char *text = alert == 116 ? "certificate required" :
		SSL_alert_desc_string_long(alert);

	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_DECRYPT_ERROR:
		if (stream->unarmed)
			break;
		snprintf(stream->why, sizeof stream->why,
			"the server does not accept our certificate: %s", text);
		return;
	case SSL_AD_PROTOCOL_VERSION:
		snprintf(stream->why, sizeof stream->why,
			"the server does not speak TLS 1.2 or 1.3");
		return;
	default:
		break;
	}
	if (stream->unarmed)
		snprintf(stream->why, sizeof stream->why, "the server asks for a client "
			"certificate (certificate, key), and there is none: %s", text);
	else
		snprintf(stream->why, sizeof stream->why, "the server ended TLS: %s", text);
}

static void
find_why(struct tls_stream *stream)
{
	unsigned long error = ERR_peek_error();
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
		reason <= SSL_AD_REASON_OFFSET + 255) {
		blame_us(stream, reason - SSL_AD_REASON_OFFSET);
		return;
	}
	if (stream->why[0] != '\0')
		return; /* the certificate */
	if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
		(reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW))
		snprintf(stream->why, sizeof stream->why,
			"the server does not speak TLS 1.2 or 1.3");
	else if (!stream->up && ERR_GET_LIB(error) == ERR_LIB_SSL &&
		(reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
			reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_BAD_RECORD_TYPE))
		snprintf(stream->why, sizeof stream->why, "what the other side says is not TLS: "
			"a plain Modbus server?");
	else
		snprintf(stream->why, sizeof stream->why, "TLS: %s", error == 0 ? "it failed" :
			ERR_reason_error_string(error) != NULL ? ERR_reason_error_string(error) :
			"it failed");
}

const char *
tls_stream_why(const struct tls_stream *stream)
{
	if (stream->why[0] != '\0')
		return stream->why;
	if (stream->unarmed && !stream->heard && stream->dead)
		return "closed by the server, which had asked for a client certificate "
			"(certificate, key), and there is none";
	if (stream->up || !stream->reached)
		return NULL;
	if (!stream->dead)
		return "connected, but no answer to the TLS handshake: a plain Modbus server?";
	return stream->error == 0 ? "closed by the other side in the TLS handshake" :
		stream->error == ECONNRESET ? "reset by the other side in the TLS handshake" :
		NULL;
}

int64_t
tls_ends(const struct tls *tls)
{
	return tls->ends;
}

int64_t
tls_stream_peer_ends(const struct tls_stream *stream)
{
	X509 *peer = stream->up ? SSL_get0_peer_certificate(stream->ssl) : NULL;

	return peer == NULL ? 0 : cert_time(X509_get0_notAfter(peer));
}

/* ---- the stream ---- */

static void
stream_free(struct tls_stream *stream)
{
	loop_timer_stop(stream->loop, &stream->soon);
	net_stream_close(stream->net);
	SSL_free(stream->ssl);
	tls_unref(stream->tls);
	free(stream);
}

/* What OpenSSL has made for the other side goes to it. */
static void
flush(struct tls_stream *stream)
{
	char *bytes;
	long size = BIO_get_mem_data(stream->out, &bytes);

	if (size > 0)
		net_stream_send(stream->net, bytes, (size_t)size);
	BIO_reset(stream->out);
}

static void
die(struct tls_stream *stream, int error)
{
	if (stream->dead)
		return;
	stream->dead = true;
	stream->error = error;
	if (!stream->busy)
		loop_timer_in(stream->loop, &stream->soon, 0);
}

/* Every callback ends here. */
static void
leave(struct tls_stream *stream)
{
	if (stream->dead && !stream->told && !stream->closed) {
		stream->told = true;
		if (stream->events.closed != NULL)
			stream->events.closed(stream->error, stream->arg);
	}
	stream->busy = false;
	if (stream->closed)
		stream_free(stream);
}

static void
on_soon(void *arg)
{
	struct tls_stream *stream = arg;

	stream->busy = true;
	leave(stream);
}

/* False: it has failed, or more has to come first. */
static bool
go_on(struct tls_stream *stream, int result)
{
	int error = SSL_get_error(stream->ssl, result);

	if (result > 0)
		return true;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return false;
	if (error != SSL_ERROR_ZERO_RETURN) {
		find_why(stream);
		die(stream, EPROTO);
	} else {
		die(stream, 0); /* close_notify */
	}
	return false;
}

static void
shake_hands(struct tls_stream *stream)
{
	/* Valid by the clock that slots are told by, not by one that may be wrong. */
	X509_VERIFY_PARAM_set_time(SSL_get0_param(stream->ssl),
		(time_t)(loop_wall(stream->loop) / LOOP_S));
	ERR_clear_error();
	stream->up = go_on(stream, SSL_do_handshake(stream->ssl));
	flush(stream);
	if (stream->up && stream->events.connected != NULL)
		stream->events.connected(stream->arg);
}

static void
read_on(struct tls_stream *stream, int64_t mono)
{
	uint8_t bytes[4096];

	while (!stream->dead && !stream->closed) {
		int size;

		ERR_clear_error();
		size = SSL_read(stream->ssl, bytes, sizeof bytes);
		if (!go_on(stream, size))
			break;
		stream->heard = true;
		if (stream->events.received != NULL)
			stream->events.received(bytes, (size_t)size, mono, stream->arg);
	}
	if (!stream->closed)
		flush(stream);
}

static void
on_connected(void *arg)
{
	struct tls_stream *stream = arg;

	stream->busy = true;
	stream->reached = true;
	shake_hands(stream);
	leave(stream);
}

static void
on_received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct tls_stream *stream = arg;

	if (stream->dead)
		return;
	stream->busy = true;
	BIO_write(stream->in, data, (int)size);
	if (!stream->up)
		shake_hands(stream);
	if (stream->up)
		read_on(stream, mono);
	leave(stream);
}

static void
on_closed(int error, void *arg)
{
	struct tls_stream *stream = arg;

	stream->busy = true;
	die(stream, error);
	leave(stream);
}

static int
expect_name(SSL *ssl, const char *name)
{
	struct net_addr addr;

	if (net_addr_parse(name, 0, &addr, NULL) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	SSL_set_tlsext_host_name(ssl, name);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name);
}

struct tls_stream *
tls_stream_connect(struct loop *loop, const struct net_addr *to, struct tls *tls,
	const char *name, const struct net_stream_events *events, void *arg, struct fail *why)
{
	static const struct net_stream_events below = { .connected = on_connected,
		.received = on_received, .closed = on_closed };
	struct tls_stream *stream = mem_zero(sizeof *stream);

	stream->loop = loop;
	stream->tls = tls_ref(tls);
	stream->events = *events;
	stream->arg = arg;
	str_copy(stream->name, sizeof stream->name, name);
	loop_timer_init(&stream->soon, on_soon, stream);
	ERR_clear_error();
	stream->ssl = SSL_new(tls->context);
	if (stream->ssl == NULL || expect_name(stream->ssl, name) != 1) {
		fail_set(why, "TLS: %s", ERR_reason_error_string(ERR_peek_error()));
		goto fail;
	}
	stream->in = BIO_new(BIO_s_mem());
	stream->out = BIO_new(BIO_s_mem());
	SSL_set_bio(stream->ssl, stream->in, stream->out);
	SSL_set_app_data(stream->ssl, stream);
	SSL_set_connect_state(stream->ssl);
	stream->net = net_stream_connect(loop, to, &below, stream, why);
	if (stream->net == NULL)
		goto fail;
	return stream;
fail:
	stream_free(stream);
	return NULL;
}

int
tls_stream_send(struct tls_stream *stream, const void *data, size_t size)
{
	if (stream->dead || stream->closed || !stream->up)
		return -1;
	ERR_clear_error();
	if (!go_on(stream, SSL_write(stream->ssl, data, (int)size)) && !stream->dead)
		die(stream, EPROTO); /* in the middle of something that we do not do */
	flush(stream);
	return stream->dead ? -1 : 0;
}

void
tls_stream_close(struct tls_stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->up && (!stream->dead || stream->error == 0)) {
		ERR_clear_error();
		SSL_shutdown(stream->ssl);
		flush(stream);
	}
	ERR_clear_error();
	net_stream_close(stream->net);
	stream->net = NULL;
	stream->closed = true;
	if (!stream->busy)
		stream_free(stream);
}
