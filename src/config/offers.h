/* offers.h - SNMP templates as candidates: what a device has to be and to have for each.
 *
 * OIDs stay texts, because "$name" in them gets its value only from a device. */
#ifndef PW_OFFERS_H
#define PW_OFFERS_H

#include <stdbool.h>
#include <stddef.h>
struct conf;
struct conf_errors;

struct offer_oid {
	const char *text;
	bool column; /* without the row's index; else of a scalar, with its .0 */
};
struct offer_parameter {
	const char *name;
	const char *fallback; /* NULL: a device must set it */
};
struct offer {
	const char *name;
	const char *const *sysobjectids; /* what one of a device begins with, if any are given */
	size_t sysobjectid_count;
	const char *const *has;          /* something has to be below one of these, if any */
	size_t has_count;
	const char *const *ancestors;    /* names of all that it inherits */
	size_t ancestor_count;
	const struct offer_parameter *parameters;
	size_t parameter_count;
	const struct offer_oid *oids;    /* of all its points, each once */
	size_t oid_count;
	const char *const *tables;       /* names */
	size_t table_count;
	const char *const *scalars;      /* names of points outside of tables */
	size_t scalar_count;
};

/* In the order of the templates. Lives as long as conf does, whose inventory may have been
 * taken. */
struct offers;
struct offers *offers_new(const struct conf *conf);
const struct offer *offers_list(const struct offers *offers, size_t *count);
void offers_free(struct offers *offers); /* NULL is fine */
#endif
