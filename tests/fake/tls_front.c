#include "fake/tls_front.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fake/net_sim.h"

struct end {
	struct tls_front *front;
	struct net_sim_conn *conn;
	struct net_stream *behind;
	SSL *ssl;
	BIO *in, *out;
	bool shaken, closed;
	bool reached; /* what is behind */
};

static void
flush(struct end *end)
{
	struct tls_front *front = end->front;
	char *bytes;
	long size = BIO_get_mem_data(end->out, &bytes), part = front->split ? 1 : size;

	for (long i = 0; i < size && !end->closed; i += part) {
		if (front->damage > front->sent && front->damage <= front->sent + part)
			bytes[i + front->damage - front->sent - 1] ^= 0x55;
		front->sent += (unsigned)part;
		net_sim_send(end->conn, bytes + i, (size_t)part, 0);
	}
	BIO_reset(end->out);
	if (front->reset_after > 0 && front->sent >= front->reset_after && !end->closed) {
		end->closed = true;
		net_sim_close(end->conn, ECONNRESET, 0);
	}
}

static void
hang_up(struct end *end)
{
	if (end->closed)
		return;
	if (end->shaken)
		SSL_shutdown(end->ssl);
	flush(end);
	end->closed = true;
	net_sim_close(end->conn, 0, 0);
}

static void
from_behind(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct end *end = arg;

	(void)mono;
	ERR_clear_error();
	SSL_write(end->ssl, data, (int)size);
	flush(end);
}

static void
behind_closed(int error, void *arg)
{
	(void)error;
	hang_up(arg);
}

static void
pass_on(struct end *end)
{
	uint8_t bytes[4096];
	int got = 1;

	ERR_clear_error();
	while (end->reached && (got = SSL_read(end->ssl, bytes, sizeof bytes)) > 0)
		net_stream_send(end->behind, bytes, (size_t)got);
	flush(end);
	if (got <= 0 && SSL_get_error(end->ssl, got) != SSL_ERROR_WANT_READ)
		hang_up(end);
}

static void
behind_reached(void *arg)
{
	struct end *end = arg;

	end->reached = true;
	pass_on(end);
}

static void
begin(struct end *end)
{
	static const struct net_stream_events events = { .connected = behind_reached, .received = from_behind,
		.closed = behind_closed };
	X509 *peer = SSL_get0_peer_certificate(end->ssl);

	end->shaken = true;
	end->front->shaken++;
	end->front->tls13 = SSL_version(end->ssl) == TLS1_3_VERSION;
	end->front->peer[0] = '\0';
	if (peer != NULL)
		X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName,
			end->front->peer, sizeof end->front->peer);
	end->behind = net_stream_connect(end->front->loop, &end->front->behind, &events, end, NULL);
}

static void
accepted(struct net_sim_conn *conn, void *arg)
{
	struct tls_front *front = arg;
	struct end *end = mem_zero(sizeof *end);

	front->accepted++;
	*end = (struct end){ .front = front, .conn = conn, .ssl = SSL_new(front->context) };
	end->in = BIO_new(BIO_s_mem());
	end->out = BIO_new(BIO_s_mem());
	SSL_set_bio(end->ssl, end->in, end->out);
	SSL_set_accept_state(end->ssl);
	net_sim_conn_set(conn, end);
}

static void
received(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	struct end *end = net_sim_conn_data(conn);
	int result = 1;

	(void)arg;
	if (end->closed)
		return;
	BIO_write(end->in, data, (int)size);
	ERR_clear_error();
	if (!end->shaken) {
		result = SSL_do_handshake(end->ssl);
		flush(end);
		if (result == 1)
			begin(end);
		else if (SSL_get_error(end->ssl, result) != SSL_ERROR_WANT_READ)
			hang_up(end);
	}
	if (end->reached && !end->closed)
		pass_on(end);
}

static void
closed(struct net_sim_conn *conn, void *arg)
{
	struct end *end = net_sim_conn_data(conn);

	(void)arg;
	end->closed = true;
	net_stream_close(end->behind);
	SSL_free(end->ssl);
	free(end);
}

void
tls_front_start(struct tls_front *front)
{
	static const struct net_sim_server server = { .accepted = accepted,
		.received = received, .closed = closed };
	BIO *certificate = BIO_new_mem_buf(front->ours->certificate, -1);
	BIO *key = BIO_new_mem_buf(front->ours->key, -1);
	X509 *one = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
	EVP_PKEY *secret = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);

	front->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(front->context, one);
	SSL_CTX_use_PrivateKey(front->context, secret);
	X509_free(one);
	EVP_PKEY_free(secret);
	BIO_free(certificate);
	BIO_free(key);
	if (front->most != 0)
		SSL_CTX_set_max_proto_version(front->context, front->most);
	SSL_CTX_set_min_proto_version(front->context, TLS1_VERSION);
	SSL_CTX_set_security_level(front->context, 0);
	if (front->client_ca != NULL) {
		certificate = BIO_new_mem_buf(front->client_ca, -1);
		one = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(front->context), one);
		X509_free(one);
		BIO_free(certificate);
		SSL_CTX_set_verify(front->context,
			SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(front->context), 1767225600);
	}
	net_sim_tcp(&front->at, &server, front);
}

void
tls_front_end(struct tls_front *front)
{
	SSL_CTX_free(front->context);
	front->context = NULL;
}
