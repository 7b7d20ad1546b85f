/* Certificates and keys of lines over TLS: their files into the bundle, and what they say of
 * themselves held against each other while it is still time to renew them. */
#include <libconfig.h>
#include <string.h>

#include "base/cert.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/tree.h"
#include "modbus/modbus.h"

/* Who renews certificates by hand needs some weeks, holidays in them. */
#define SOON (30 * 24 * 3600 * LOOP_S)

struct tls_kept {
	struct tls_kept *next;
	const char *ca, *certificate, *key; /* as configured */
	const struct modbus_tls *tls;
};

/* The text of the file that this key of a group `tls` names; "" when it names none. It was
 * read before anything is built, but for a key, where nobody will use it. */
static const char *
text_of(struct build *build, const struct scope *scope, const char *key, enum bundle_kind kind)
{
	const char *name = scope_text(scope, key);
	const struct bundle_file *file = name[0] == '\0' ? NULL :
		conf_file(build->conf, kind, name);

	if (file == NULL) {
		if (name[0] != '\0' && !build->conf->secrets.unwanted)
			node_error(scope_find(scope, key), build->errors, "%s \"%s\": was not read "
				"with the configuration", key, name);
		return "";
	}
	if (strlen(file->text) == file->size)
		return arena_text(build->arena, file->text);
	node_error(scope_find(scope, key), build->errors, "%s \"%s\": there is a NUL byte in it: "
		"not PEM (openssl x509 -inform der -outform pem)", key, name);
	return "";
}

static void
warn_of_end(struct build *build, const struct scope *scope, const char *key, int64_t ends)
{
	int64_t left = ends - cert_now();
	char day[40];

	str_utc(day, sizeof day, ends);
	if (ends == INT64_MAX || left > SOON)
		return;
	if (left <= 0)
		conf_warning(build->errors, node_path(scope_find(scope, key)),
			node_line(scope_find(scope, key)), "%s \"%s\": has expired, on %.10s: "
			"connections with it fail until it is renewed (then: pollwerk reload)", key,
			scope_text(scope, key), day);
	else
		conf_warning(build->errors, node_path(scope_find(scope, key)),
			node_line(scope_find(scope, key)), "%s \"%s\": expires in %lld days, on "
			"%.10s: renew it (then: pollwerk reload)", key, scope_text(scope, key),
			(long long)(left / (24 * 3600 * LOOP_S)), day);
}

static void
check_ca(struct build *build, const struct scope *scope, const char *pem)
{
	struct fail why;
	int64_t ends;

	if (pem[0] == '\0')
		return;
	if (cert_ends(pem, &ends, &why) == -1)
		node_error(scope_find(scope, "ca"), build->errors, "ca \"%s\": %s",
			scope_text(scope, "ca"), why.text);
	else
		warn_of_end(build, scope, "ca", ends);
}

static void
check_ours(struct build *build, const struct scope *scope, struct modbus_tls *tls)
{
	const char *key = scope_text(scope, "key");
	struct fail why;
	int64_t ends;

	if ((tls->certificate[0] == '\0') != (key[0] == '\0')) {
		node_error(scope->levels[0], build->errors, "certificate and key go together, "
			"and %s is missing", key[0] == '\0' ? "key" : "certificate");
		return;
	}
	if (tls->pem.certificate[0] == '\0')
		return;
	if (cert_ends(tls->pem.certificate, &ends, &why) == -1 ||
		cert_look(tls->pem.certificate, &tls->look, &why) == -1) {
		node_error(scope_find(scope, "certificate"), build->errors, "certificate \"%s\": %s",
			tls->certificate, why.text);
		return;
	}
	warn_of_end(build, scope, "certificate", ends);
	if (tls->pem.key[0] != '\0' &&
		cert_match(tls->pem.certificate, tls->pem.key, &why) == -1)
		node_error(scope_find(scope, "key"), build->errors, "key \"%s\": %s", key, why.text);
}

static uint64_t
identity(const struct tls_options *pem)
{
	const uint64_t parts[] = { str_hash(pem->ca, strlen(pem->ca)),
		str_hash(pem->certificate, strlen(pem->certificate)),
		str_hash(pem->key, strlen(pem->key)) };
	uint64_t id = str_hash(parts, sizeof parts);

	return id == 0 ? 1 : id;
}

static const struct modbus_tls *
make(struct build *build, const struct scope *scope)
{
	struct modbus_tls *tls = arena_zero(build->arena, sizeof *tls);

	tls->certificate = build_text(build, scope, "certificate");
	tls->pem.ca = text_of(build, scope, "ca", BUNDLE_CERTIFICATE);
	tls->pem.certificate = text_of(build, scope, "certificate", BUNDLE_CERTIFICATE);
	tls->pem.key = text_of(build, scope, "key", BUNDLE_KEY);
	tls->id = identity(&tls->pem);
	check_ca(build, scope, tls->pem.ca);
	check_ours(build, scope, tls);
	return tls;
}

const struct modbus_tls *
build_tls(struct build *build, const struct config_setting_t *group)
{
	struct scope scope = build_scope(build, "tls", group);
	const char *ca = scope_text(&scope, "ca"), *key = scope_text(&scope, "key");
	const char *certificate = scope_text(&scope, "certificate");
	struct tls_kept *kept;

	for (kept = build->tls; kept != NULL; kept = kept->next) {
		if (strcmp(kept->ca, ca) == 0 && strcmp(kept->key, key) == 0 &&
			strcmp(kept->certificate, certificate) == 0)
			return kept->tls;
	}
	kept = arena_zero(build->scratch, sizeof *kept);
	*kept = (struct tls_kept){ .next = build->tls, .ca = arena_text(build->scratch, ca),
		.certificate = arena_text(build->scratch, certificate),
		.key = arena_text(build->scratch, key), .tls = make(build, &scope) };
	build->tls = kept;
	return kept->tls;
}
