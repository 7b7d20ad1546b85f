/* tls.h - TLS 1.2 and 1.3, the client's side, as a stream like those of base/net.
 *
 * What travels goes through a net_stream, so that nothing here blocks and a simulated network
 * carries it as well. The other side is believed only with a certificate that a CA of ours has
 * signed, that is valid now (by the loop's wall clock), and that bears the name we expect.
 * Opens no files: certificates and keys come as PEM text. */
#ifndef PW_TLS_H
#define PW_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
struct fail;
struct loop;

/* Who we are and whom we believe. Shared by any number of streams; counted references. */
struct tls;
struct tls_options {
	const char *ca;          /* PEM: who may have signed the server's certificate, or that itself */
	const char *certificate; /* PEM: ours first, then those up to the CA; "": none */
	const char *key;         /* PEM: the private key of ours */
};
struct tls *tls_new(const struct tls_options *options, struct fail *why); /* NULL and why */
struct tls *tls_ref(struct tls *tls);
void tls_unref(struct tls *tls); /* NULL is fine */
int64_t tls_ends(const struct tls *tls); /* wall ns: of our certificate; 0: we have none */

/* The events are those of base/net: connected() when the handshake is done, closed() when it
 * failed or the other side went. The owner sets the deadline. name: what the server's
 * certificate has to bear, a DNS name or an IP address. NULL and why: no socket. */
struct tls_stream;
struct tls_stream *tls_stream_connect(struct loop *loop, const struct net_addr *to,
	struct tls *tls, const char *name, const struct net_stream_events *events, void *arg,
	struct fail *why);
int tls_stream_send(struct tls_stream *stream, const void *data, size_t size);
/* What it has failed with, or what its handshake waits for; NULL when TLS knows of nothing. */
const char *tls_stream_why(const struct tls_stream *stream);
/* Wall ns at which the server's certificate ends; 0 before the handshake is done. */
int64_t tls_stream_peer_ends(const struct tls_stream *stream);
/* close_notify, then FIN. NULL is fine. */
void tls_stream_close(struct tls_stream *stream);
#endif
