#include "config/source.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"

enum token_kind {
	TOKEN_END, TOKEN_NAME, TOKEN_BOOL, TOKEN_NUMBER, TOKEN_STRING, TOKEN_MARK, TOKEN_OTHER,
	TOKEN_OPEN_STRING, TOKEN_OPEN_COMMENT,
};

struct token {
	enum token_kind kind;
	const char *start;
	size_t length;
	int line;     /* where it begins */
	bool float_;  /* numbers */
	bool spans;   /* strings: over more than one line */
};

struct source_fault {
	int line; /* 0: nothing found */
	char text[256];
};

/* What was opened and is not closed yet. */
enum { DEPTH_MAX = 200 };

struct scanner {
	const char *at;
	int line;
	struct token token;    /* the one to look at */
	struct token previous;
	const char *path;
	struct conf_errors *errors;
	struct source_fault *fault;
	struct token long_string; /* the first string that goes over a line's end */
	int depth;
};

static void
fault(struct scanner *s, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
fault(struct scanner *s, int line, const char *format, ...)
{
	va_list args;

	if (s->fault->line != 0)
		return;
	s->fault->line = line;
	va_start(args, format);
	vsnprintf(s->fault->text, sizeof s->fault->text, format, args);
	va_end(args);
}

/* False when a comment has no end. */
static bool
skip_space(struct scanner *s)
{
	for (;;) {
		if (*s->at == '\n')
			s->line++;
		if (*s->at == '#' || (s->at[0] == '/' && s->at[1] == '/')) {
			s->at += strcspn(s->at, "\n");
		} else if (s->at[0] == '/' && s->at[1] == '*') {
			const char *end = strstr(s->at + 2, "*/");

			if (end == NULL)
				return false;
			for (; s->at < end + 2; s->at++)
				s->line += *s->at == '\n';
		} else if (*s->at != '\0' && strchr(" \t\r\f\n", *s->at) != NULL) {
			s->at++;
		} else {
			return true;
		}
	}
}

static void
scan_string(struct scanner *s, struct token *token)
{
	const char *at = s->at + 1;

	token->kind = TOKEN_OPEN_STRING;
	for (; *at != '\0' && *at != '"'; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		if (*at == '\n') {
			s->line++;
			token->spans = true;
		}
	}
	if (*at == '"') {
		token->kind = TOKEN_STRING;
		at++;
	}
	token->length = (size_t)(at - s->at);
}

static void
scan_number(const char *at, struct token *token)
{
	size_t n = strspn(at, "+-");
	size_t digits;

	token->kind = TOKEN_NUMBER;
	if (at[n] == '0' && (at[n + 1] | 32) == 'x') {
		token->length = n + 2 + strspn(at + n + 2, "0123456789abcdefABCDEF");
	} else {
		digits = strspn(at + n, "0123456789");
		n += digits;
		if (at[n] == '.') {
			token->float_ = true;
			digits += strspn(at + n + 1, "0123456789");
			n += 1 + strspn(at + n + 1, "0123456789");
		}
		if ((at[n] | 32) == 'e') {
			size_t sign = at[n + 1] == '-' || at[n + 1] == '+';
			size_t power = strspn(at + n + 1 + sign, "0123456789");

			if (power > 0) {
				token->float_ = true;
				n += 1 + sign + power;
			}
		}
		token->length = n;
		if (digits == 0)
			token->kind = TOKEN_OTHER;
	}
	if (!token->float_) /* L of 64-bit integers */
		token->length += strspn(at + token->length, "L");
}

static void
scan_word(struct token *token)
{
	while (isalnum((unsigned char)token->start[token->length]) ||
		(token->start[token->length] != '\0' &&
			strchr("-_*", token->start[token->length]) != NULL))
		token->length++;
	token->kind = TOKEN_NAME;
	if ((token->length == 4 && strncasecmp(token->start, "true", 4) == 0) ||
		(token->length == 5 && strncasecmp(token->start, "false", 5) == 0))
		token->kind = TOKEN_BOOL;
}

static void
next(struct scanner *s)
{
	struct token token = { .kind = TOKEN_OTHER, .length = 1 };
	bool closed = skip_space(s);

	s->previous = s->token;
	token.start = s->at;
	token.line = s->line;
	if (!closed) {
		token.kind = TOKEN_OPEN_COMMENT;
	} else if (*s->at == '\0') {
		token.kind = TOKEN_END;
		token.length = 0;
	} else if (*s->at == '"') {
		scan_string(s, &token);
		if (token.spans && s->long_string.start == NULL)
			s->long_string = token;
	} else if (isdigit((unsigned char)*s->at) || strchr("+-.", *s->at) != NULL) {
		scan_number(s->at, &token);
	} else if (isalpha((unsigned char)*s->at) || *s->at == '*') {
		token.length = 0;
		scan_word(&token);
	} else if (strchr("{}()[]=:,;", *s->at) != NULL) {
		token.kind = TOKEN_MARK;
	}
	/* Text that ends in a run of its own kind: take it whole, for the message. */
	if (token.kind == TOKEN_OTHER)
		token.length = strcspn(token.start, " \t\r\n=:,;(){}[]\"#") + 0;
	if (token.kind == TOKEN_OTHER && token.length == 0)
		token.length = 1;
	if (closed && token.kind != TOKEN_OPEN_COMMENT)
		s->at += token.length;
	s->token = token;
}

static bool
is_mark(const struct token *token, char mark)
{
	return token->kind == TOKEN_MARK && *token->start == mark;
}

static bool
is_value(const struct token *token)
{
	return token->kind == TOKEN_BOOL || token->kind == TOKEN_NUMBER ||
		token->kind == TOKEN_STRING || is_mark(token, '{') || is_mark(token, '(') ||
		is_mark(token, '[');
}

/* The token as it stands in the file, at most a word of it. */
static const char *
shown(const struct token *token, char to[48])
{
	snprintf(to, 48, "%.*s", (int)(token->length < 40 ? token->length : 40), token->start);
	to[strcspn(to, "\n\r")] = '\0';
	return to;
}

static void
report_open(struct scanner *s)
{
	if (s->token.kind == TOKEN_OPEN_COMMENT)
		fault(s, s->token.line, "the comment /* that begins here has no end */");
	else if (s->long_string.start != NULL)
		fault(s, s->long_string.line,
			"the quote \" that opens here is not closed in this line");
	else
		fault(s, s->token.line, "the quote \" that opens here is never closed");
}

/* Integers that libconfig would wrap: 4294967296 becomes 0 without a word. */
static void
check_integer(struct scanner *s)
{
	char text[48], *end;
	long long value;
	bool wide = memchr(s->token.start, 'L', s->token.length) != NULL;
	bool fits;

	if (s->token.kind != TOKEN_NUMBER || s->token.float_)
		return;
	shown(&s->token, text);
	errno = 0;
	value = strtoll(text, &end, strchr(text, 'x') || strchr(text, 'X') ? 16 : 10);
	fits = errno == 0 && s->token.length < 40;
	if (!fits || (!wide && (value > INT32_MAX || value < INT32_MIN)))
		conf_error(s->errors, s->path, s->token.line,
			"integer %s: does not fit 32 bits and would be read as another number: write a "
			"decimal point, as 4294967296.0", text);
}

static void parse_settings(struct scanner *s, char end, const struct token *open);

/* Behind an entry of a list or array: a comma, the end, or what is wrong there. */
static bool
parse_separator(struct scanner *s, char end, const struct token *open)
{
	char word[48];

	if (is_mark(&s->token, end))
		return false;
	if (s->token.kind == TOKEN_STRING && s->previous.kind == TOKEN_STRING) {
		conf_error(s->errors, s->path, s->token.line,
			"missing comma before %s: two texts in a row would be joined into one",
			shown(&s->token, word));
		return true;
	}
	if (is_mark(&s->token, ',')) {
		next(s);
		if (is_mark(&s->token, end)) {
			fault(s, s->previous.line,
				"comma before '%c': the last entry has no comma behind it", end);
			return false;
		}
		return true;
	}
	if (s->token.kind == TOKEN_OPEN_STRING || s->token.kind == TOKEN_OPEN_COMMENT)
		report_open(s);
	else if (s->token.kind == TOKEN_MARK && is_value(&s->token))
		fault(s, s->token.line, "missing comma before '%c'", *s->token.start);
	else if (is_value(&s->token))
		fault(s, s->token.line, "missing comma before %s", shown(&s->token, word));
	else if (s->token.kind == TOKEN_END)
		fault(s, open->line, "bracket '%c' is never closed", *open->start);
	else if (is_mark(&s->token, ';'))
		fault(s, s->token.line, "';' inside '%c': entries are separated by commas",
			*open->start);
	else if (s->token.kind == TOKEN_MARK)
		fault(s, s->token.line, "'%c' does not close the '%c' of line %d (missing '%c'?)",
			*s->token.start, *open->start, open->line, end);
	else
		fault(s, s->token.line, "missing comma or '%c' before \"%s\"", end,
			shown(&s->token, word));
	return false;
}

/* ' and ` and what word processors make of ": U+2018 to U+201F, U+00AB, U+00BB. */
static bool
is_other_quote(const struct token *token)
{
	const unsigned char *at = (const unsigned char *)token->start;

	return *at == '\'' || *at == '`' ||
		(at[0] == 0xE2 && at[1] == 0x80 && at[2] >= 0x98 && at[2] <= 0x9F) ||
		(at[0] == 0xC2 && (at[1] == 0xAB || at[1] == 0xBB));
}

static void
value_fault(struct scanner *s)
{
	char word[48];

	shown(&s->token, word);
	if (s->token.kind == TOKEN_OPEN_STRING || s->token.kind == TOKEN_OPEN_COMMENT)
		report_open(s);
	else if (s->long_string.start != NULL)
		report_open(s);
	else if (s->token.kind == TOKEN_END)
		fault(s, s->previous.line, "the file ends where a value is expected");
	else if (s->token.kind == TOKEN_MARK)
		fault(s, s->token.line, "missing value before '%s'", word);
	else if (is_other_quote(&s->token))
		fault(s, s->token.line, "%s: quotes of another kind, only \" will do", word);
	else
		fault(s, s->token.line, "text without quotes: write \"%s\"", word);
}

/* One value of any kind. */
static void
parse_value(struct scanner *s)
{
	struct token open = s->token;
	char end;

	if (s->depth >= DEPTH_MAX) {
		fault(s, s->token.line, "more than %d brackets inside each other", DEPTH_MAX);
		return;
	}
	if (!is_value(&s->token)) {
		value_fault(s);
		return;
	}
	check_integer(s);
	next(s);
	if (open.kind != TOKEN_MARK)
		return;
	s->depth++;
	if (*open.start == '{') {
		parse_settings(s, '}', &open);
	} else {
		end = *open.start == '(' ? ')' : ']';
		if (!is_mark(&s->token, end)) {
			do {
				if (end == ']' && s->token.kind == TOKEN_MARK && is_value(&s->token))
					fault(s, s->token.line, "'%c' inside '[': what has parts of its own "
						"stands in a list, ( { .. }, { .. } )", *s->token.start);
				parse_value(s);
			} while (s->fault->line == 0 && parse_separator(s, end, &open));
		}
	}
	s->depth--;
	if (s->fault->line == 0)
		next(s); /* the closing one */
}

static bool
touches(const struct token *one, const struct token *other)
{
	return one->start + one->length == other->start;
}

/* 10s, 10.0.0.1: begins like a number and goes on. */
static void
unquoted_fault(struct scanner *s)
{
	size_t length = strcspn(s->previous.start, " \t\r\n,;(){}[]\"");

	fault(s, s->previous.line, "text without quotes: write \"%.*s\"",
		(int)(length < 60 ? length : 60), s->previous.start);
}

static void
name_fault(struct scanner *s, const struct token *open)
{
	char word[48];

	shown(&s->token, word);
	if (s->token.kind == TOKEN_OPEN_STRING || s->token.kind == TOKEN_OPEN_COMMENT)
		report_open(s);
	else if (s->long_string.start != NULL && s->token.kind != TOKEN_END)
		report_open(s);
	else if (s->token.kind == TOKEN_END)
		fault(s, open->line, "bracket '%c' is never closed", *open->start);
	else if (s->previous.kind == TOKEN_NUMBER && touches(&s->previous, &s->token))
		unquoted_fault(s);
	else if (s->token.kind == TOKEN_NUMBER && is_mark(&s->previous, ','))
		fault(s, s->token.line, "decimal comma? write a point, as in 0.%s", word);
	else if (is_mark(&s->token, ';'))
		fault(s, s->token.line, "a second ';'");
	else if (s->token.kind == TOKEN_BOOL)
		fault(s, s->token.line, "\"%s\" is a value and cannot be a key", word);
	else if (s->token.kind == TOKEN_STRING)
		fault(s, s->token.line, "key in quotes: write the key without them, %s", word);
	else if (open == NULL && s->token.kind == TOKEN_MARK && is_value(&s->token))
		fault(s, s->token.line, "'%s' without a key before it: expected KEY = or KEY: first",
			word);
	else if (s->token.kind == TOKEN_MARK && open == NULL)
		fault(s, s->token.line, "'%s' closes nothing: one bracket too many before it, "
			"or a missing one", word);
	else if (s->token.kind == TOKEN_MARK)
		fault(s, s->token.line, "'%s' does not close the '%c' of line %d (missing '}'?)",
			word, *open->start, open->line);
	else
		fault(s, s->token.line, "\"%s\": a key begins with a letter and has only A-Z a-z "
			"0-9 - and _", word);
}

/* key = value pairs up to the mark end (0: the end of the file). */
static void
parse_settings(struct scanner *s, char end, const struct token *open)
{
	char word[48], more[48];

	while (s->fault->line == 0) {
		if (end == '\0' ? s->token.kind == TOKEN_END : is_mark(&s->token, end))
			return;
		if (s->token.kind != TOKEN_NAME) {
			name_fault(s, open);
			return;
		}
		next(s);
		if (!is_mark(&s->token, '=') && !is_mark(&s->token, ':')) {
			if (s->long_string.start != NULL)
				report_open(s);
			shown(&s->previous, word);
			if (s->token.kind == TOKEN_OTHER && (*s->token.start & 0x80))
				fault(s, s->token.line, "key \"%s%s\": a key has only A-Z a-z 0-9 - "
					"and _, no umlauts", word, shown(&s->token, more));
			fault(s, s->token.line, "missing '=' behind \"%s\"", word);
			return;
		}
		next(s);
		parse_value(s);
		while (s->fault->line == 0 && s->token.kind == TOKEN_STRING &&
			s->previous.kind == TOKEN_STRING)
			next(s); /* texts in a row are one, so long descriptions can be wrapped */
		if (s->fault->line == 0 && (is_mark(&s->token, ';') || is_mark(&s->token, ',')))
			next(s);
		else if (s->fault->line == 0 && s->token.kind == TOKEN_NAME &&
			s->previous.kind == TOKEN_NUMBER && touches(&s->previous, &s->token))
			unquoted_fault(s);
	}
}

/* libconfig would open what @include names, and end the process when it is a directory. */
static bool
check_include(const char *path, const char *text, struct conf_errors *errors)
{
	int line = 1;
	bool fine = true;

	for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
		if (*at == '\n') {
			at++;
			line++;
		}
		at += strspn(at, " \t\r");
		if (strncmp(at, "@include", 8) == 0) {
			conf_error(errors, path, line, "@include: not possible here: name the file "
				"in poller.include of the main file");
			fine = false;
		}
	}
	return fine;
}

bool
source_check(const char *path, const char *text, size_t size, struct conf_errors *errors)
{
	struct source_fault first = { 0 };
	struct scanner s = {
		.at = text, .line = 1, .path = path, .errors = errors, .fault = &first,
	};

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0) {
		conf_error(errors, path, 1, "the file begins with a byte order mark (BOM): save it "
			"as UTF-8 without BOM");
		return false;
	}
	if (strlen(text) != size) {
		conf_error(errors, path, 0, "there is a NUL byte in it: not a text file, or UTF-16; "
			"save it as UTF-8");
		return false;
	}
	if (!check_include(path, text, errors))
		return false;
	next(&s);
	parse_settings(&s, '\0', NULL);
	if (first.line == 0)
		return true;
	/* libconfig would say less, leak what it holds of an open string, and take an open
	 * comment for the end of the file without a word. */
	conf_error(errors, path, first.line, "syntax: %s", first.text);
	return false;
}
