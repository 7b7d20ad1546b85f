/* What check says of certificates and keys of lines over TLS. */
#include "config/conf.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "core/device.h"
#include "fake/pki.h"
#include "modbus/modbus.h"
#include "../check.h"
#include "../scratch.h"

#define DAY INT64_C(86400)
#define POINT "points = ( { name = \"p\"; function = 3; pdu = 1; type = \"u16\"; } ); }"

static struct pki ca, ours;
static struct conf_errors errors;
static struct inventory *inventory;

static void
keep(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(scratch_path(name), "w");

	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
	chmod(scratch_path(name), mode);
}

/* Certificates of a plant; ours ends in so many days. */
static void
begin(int64_t days, const char *role)
{
	scratch_make();
	pki_make(&ca, &(struct pki_wish){ .name = "plant CA" });
	pki_make(&ours, &(struct pki_wish){ .issuer = &ca, .name = "pollwerk", .role = role,
		.to = time(NULL) + days * DAY + 3600 });
	keep("ca.pem", ca.certificate, 0644);
	keep("ours.pem", ours.certificate, 0644);
	keep("ours.key", ours.key, 0640);
}

static void
load(const char *tls)
{
	FILE *file = fopen(scratch_path("main.conf"), "w");
	struct conf *conf;

	CHECK(file != NULL);
	fprintf(file, "poller: { templates = [ ]; state_dir = \"%s\"; };\n"
		"lines: ( { name = \"bus\"; address = \"10.0.0.7\"; transport = \"tls\"; tls = { %s }; } );\n"
		"devices: ( { name = \"m\"; modbus = { line = \"bus\"; unit_id = 1; };\n" POINT ",\n"
		"{ name = \"n\"; address = \"10.0.0.8\"; modbus = { unit_id = 1; transport = \"tls\"; "
		"port = 8020; tls = { server_name = \"n.plant\"; %s }; };\n" POINT " );\n",
		scratch_path("state"), tls, tls);
	fclose(file);
	inventory_free(inventory);
	conf_errors_free(&errors);
	errors = (struct conf_errors){ 0 };
	conf = conf_load(scratch_path("main.conf"), &errors);
	inventory = conf == NULL ? NULL : conf_inventory(conf);
	conf_free(conf);
}

static void
end(void)
{
	inventory_free(inventory);
	inventory = NULL;
	conf_errors_free(&errors);
	errors = (struct conf_errors){ 0 };
	pki_free(&ca);
	pki_free(&ours);
	scratch_remove();
}

#define ALL "ca = \"ca.pem\"; certificate = \"ours.pem\"; key = \"ours.key\";"

/* The first error, in the second line, with this behind it. */
static void
refused(const char *why)
{
	CHECK(inventory == NULL);
	CHECK(errors.count > 0);
	CHECK_INT(errors.items[0].line, 2);
	if (strstr(errors.items[0].text, why) == NULL)
		print_error("\"%s\" is not in \"%s\"\n", why, errors.items[0].text);
	CHECK(strstr(errors.items[0].text, why) != NULL);
}

static void
takes_what_belongs_together(void)
{
	const struct modbus_options *one, *other;

	begin(1000, "reader");
	load(ALL);
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 0);
	one = device_modbus(inventory_find(inventory, "m"));
	other = device_modbus(inventory_find(inventory, "n"));
	CHECK(one->tls != NULL && one->tls == other->tls); /* kept once */
	CHECK_STR(one->tls->pem.ca, ca.certificate);
	CHECK_STR(one->tls->pem.key, ours.key);
	CHECK_STR(one->tls->certificate, "ours.pem");
	CHECK(one->tls->look.has_role);
	CHECK_STR(one->tls->look.role, "reader");
	CHECK_STR(one->tls->look.subject, "CN = pollwerk");
	CHECK_INT(one->address.port, 802);
	CHECK_INT(other->address.port, 8020);
	CHECK_STR(one->server_name, "10.0.0.7");
	CHECK_STR(other->server_name, "n.plant");
	end();
}

static void
a_certificate_need_not_have_a_role(void)
{
	begin(1000, NULL);
	load(ALL);
	CHECK(inventory != NULL);
	CHECK(!((const struct modbus_options *)device_modbus(inventory_find(inventory, "m")))->tls->look.has_role);
	end();
}

static void
a_ca_alone_will_do(void)
{
	begin(1000, NULL);
	load("ca = \"ca.pem\";");
	CHECK(inventory != NULL);
	end();
}

static void
refuses_a_key_of_another_certificate(void)
{
	begin(1000, NULL);
	keep("ours.key", ca.key, 0600);
	load(ALL);
	refused("key \"ours.key\": is not the key of the certificate");
	end();
}

static void
refuses_a_key_that_others_may_read(void)
{
	begin(1000, NULL);
	keep("ours.key", ours.key, 0644);
	load(ALL);
	refused("is a private key, and others than its owner and group may read it");
	end();
}

static void
refuses_files_in_which_nothing_is_or_another_thing(void)
{
	char *damaged;

	begin(1000, NULL);
	keep("ours.key", "hello\n", 0600);
	load(ALL);
	refused("key \"ours.key\": no private key in it");
	keep("ours.key", ours.key, 0600);
	keep("ca.pem", ours.key, 0600);
	load(ALL);
	refused("ca \"ca.pem\": no certificate in it");
	damaged = mem_text(ca.certificate);
	memcpy(damaged + 200, "****", 4);
	keep("ca.pem", damaged, 0600);
	load(ALL);
	refused("ca \"ca.pem\": certificate 1 in it cannot be read: damaged");
	free(damaged);
	unlink(scratch_path("ca.pem"));
	load(ALL);
	refused("ca.pem\": No such file or directory");
	end();
}

static void
refuses_a_key_with_a_pass_phrase_and_asks_nobody(void)
{
	char *locked;

	begin(1000, NULL);
	locked = pki_lock(&ours, "secret");
	keep("ours.key", locked, 0600);
	load(ALL);
	refused("key \"ours.key\": the key has a pass phrase, and nobody is there to be asked");
	free(locked);
	end();
}

static void
warns_a_month_before_a_certificate_ends_but_starts(void)
{
	begin(12, NULL);
	load(ALL);
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 1); /* for both places: one file, told once */
	CHECK_INT(errors.warnings[0].line, 2);
	CHECK(strstr(errors.warnings[0].text, "certificate \"ours.pem\": expires in 12 days, on 20") !=
		NULL);
	end();
}

static void
warns_of_an_expired_certificate_but_starts(void)
{
	begin(-3, NULL);
	load(ALL);
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 1);
	CHECK(strstr(errors.warnings[0].text, "certificate \"ours.pem\": has expired, on 20") != NULL);
	end();
}

static void
a_renewed_file_makes_another_device_of_it(void)
{
	uint64_t before, after;
	struct pki renewed;

	begin(1000, NULL);
	load(ALL);
	before = inventory_find(inventory, "m")->fingerprint;
	load(ALL);
	CHECK(inventory_find(inventory, "m")->fingerprint == before);
	pki_make(&renewed, &(struct pki_wish){ .issuer = &ca, .name = "pollwerk" });
	keep("ours.pem", renewed.certificate, 0644);
	keep("ours.key", renewed.key, 0640);
	load(ALL);
	after = inventory_find(inventory, "m")->fingerprint;
	CHECK(after != before);
	pki_free(&renewed);
	end();
}

RUN_TESTS(TEST(takes_what_belongs_together), TEST(a_certificate_need_not_have_a_role),
	TEST(a_ca_alone_will_do), TEST(refuses_a_key_of_another_certificate),
	TEST(refuses_a_key_that_others_may_read),
	TEST(refuses_files_in_which_nothing_is_or_another_thing),
	TEST(refuses_a_key_with_a_pass_phrase_and_asks_nobody),
	TEST(warns_a_month_before_a_certificate_ends_but_starts),
	TEST(warns_of_an_expired_certificate_but_starts),
	TEST(a_renewed_file_makes_another_device_of_it))
