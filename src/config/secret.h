/* secret.h - what stands behind "@cred:NAME".
 *
 * Looked for in the secrets file, then $CREDENTIALS_DIRECTORY/NAME (systemd), then the
 * environment variable POLLWERK_CRED_NAME ('-' and '.' made '_'). What comes from outside
 * the files is put into the bundle, so that a role without rights finds it there. */
#ifndef PW_SECRET_H
#define PW_SECRET_H

#include <stdbool.h>
struct bundle;
struct fail;
struct tree;

struct secrets {
	const struct tree *file; /* the parsed secrets file, or NULL */
	struct bundle *bundle;
	bool outside;            /* may look outside the bundle: this is the checking process */
	bool unwanted;           /* every credential is "": nobody will send it */
};

#define SECRET_PREFIX "@cred:"

/* The text itself, or what the credential holds; lives as long as bundle and file. NULL and
 * why when there is no such credential. */
const char *secret_get(struct secrets *secrets, const char *text, struct fail *why);
#endif
