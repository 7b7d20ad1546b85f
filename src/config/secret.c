#include "config/secret.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "config/bundle.h"
#include "config/tree.h"

static const char *
from_bundle(const struct bundle *bundle, const char *name)
{
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_file *file = bundle->files[i];

		if (file->kind == BUNDLE_CREDENTIAL && strcmp(file->path, name) == 0)
			return file->text;
	}
	return NULL;
}

/* 0 when there is none, 1 when found, -1 and why when it is there but not usable. */
static int
from_directory(struct bundle *bundle, const char *name, struct fail *why)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	char *text;
	size_t size;

	if (directory == NULL ||
		snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
		return 0;
	text = bundle_read(path, BUNDLE_CREDENTIAL, &size, why);
	if (text == NULL)
		return 0;
	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		size--; /* files written by echo end so; no community does */
	text[size] = '\0';
	bundle_add(bundle, BUNDLE_CREDENTIAL, name, text, size);
	explicit_bzero(text, size);
	free(text);
	return 1;
}

static const char *
from_environment(const char *name)
{
	char variable[80];

	snprintf(variable, sizeof variable, "POLLWERK_CRED_%s", name);
	for (char *at = variable; *at != '\0'; at++) {
		if (*at == '-' || *at == '.')
			*at = '_';
	}
	return getenv(variable);
}

static const char *
find(struct secrets *secrets, const char *name, struct fail *why)
{
	const char *text = NULL;

	if (secrets->file != NULL)
		text = node_get_text(tree_root(secrets->file), name, NULL);
	if (text == NULL)
		text = from_bundle(secrets->bundle, name);
	if (text != NULL || !secrets->outside)
		return text;
	if (from_directory(secrets->bundle, name, why) == 1)
		return from_bundle(secrets->bundle, name);
	text = from_environment(name);
	if (text == NULL)
		return NULL;
	bundle_add(secrets->bundle, BUNDLE_CREDENTIAL, name, text, strlen(text));
	return from_bundle(secrets->bundle, name);
}

const char *
secret_get(struct secrets *secrets, const char *text, struct fail *why)
{
	const char *name, *secret;

	if (strncmp(text, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0)
		return text;
	if (secrets->unwanted)
		return "";
	name = text + strlen(SECRET_PREFIX);
	if (!str_is_name(name)) {
		fail_set(why, "\"%s\": expected @cred:NAME", text);
		return NULL;
	}
	secret = find(secrets, name, why);
	if (secret == NULL || secret[0] == '\0') {
		fail_set(why, "credential \"%s\": %s the secrets file, in $CREDENTIALS_DIRECTORY, "
			"in $POLLWERK_CRED_%s", name, secret == NULL ? "not in" : "is empty in", name);
		return NULL;
	}
	return secret;
}
