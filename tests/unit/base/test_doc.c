#include "../check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"

static char written[1000];

/* Takes the reference. */
static const char *
text_of(json_t *document)
{
	FILE *to = fmemopen(written, sizeof written, "w");

	doc_write(document, to);
	fclose(to);
	json_decref(document);
	return written;
}

static void
writes_the_shortest_number_that_reads_back(void)
{
	static const double hard[] = { 0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789,
		-2.2250738585072014e-308, 9007199254740993.0, 1795316285.903281 };

	CHECK_STR(text_of(doc_number(0.1)), "0.1");
	CHECK_STR(text_of(doc_number(100)), "100");
	CHECK_STR(text_of(doc_number(-21.5)), "-21.5");
	for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
		json_t *back = json_loads(text_of(doc_number(hard[i])), JSON_DECODE_ANY, NULL);

		CHECK(back != NULL && json_number_value(back) == hard[i]);
		json_decref(back);
	}
}

static void
has_no_number_where_there_is_none(void)
{
	CHECK_STR(text_of(doc_number((double)NAN)), "null");
	CHECK_STR(text_of(doc_number((double)INFINITY)), "null");
}

static void
writes_all_digits_of_a_counter(void)
{
	CHECK_STR(text_of(doc_whole(0)), "0");
	CHECK_STR(text_of(doc_whole(INT64_MAX)), "9223372036854775807");
	CHECK_STR(text_of(doc_whole(UINT64_C(9223372036854775809))), "9223372036854775809");
	CHECK_STR(text_of(json_pack("{s:o, s:[o]}", "raw", doc_whole(UINT64_MAX), "others",
		doc_whole(UINT64_MAX - 1))),
		"{\"raw\":18446744073709551615,\"others\":[18446744073709551614]}");
}

static void
tells_moments_to_the_microsecond(void)
{
	CHECK_STR(text_of(doc_seconds(INT64_C(1795316285903281234))), "1795316285.903281");
	CHECK_STR(text_of(doc_seconds(INT64_C(1795316285000000000))), "1795316285");
}

static void
keeps_texts_readable_whatever_bytes_a_device_sends(void)
{
	json_t *document = json_object();
	char *name = doc_name("if[\xfc" "ber]/alias");

	CHECK_STR(text_of(doc_text("a\"b\\c\n\x01" "d")), "\"a\\\"b\\\\c\\u000a\\u0001d\"");
	CHECK_STR(text_of(doc_text("\xc3\xb6l")), "\"\xc3\xb6l\"");
	CHECK_STR(text_of(doc_text("\xb0" "C")), "\"?C\"");
	json_object_set_new(document, name, doc_text("x"));
	CHECK_STR(text_of(document), "{\"if[?ber]/alias\":\"x\"}");
	free(name);
}

static void
writes_what_another_reader_takes_for_the_same(void)
{
	json_t *was = json_pack("{s:[i, f, b, b, n], s:{}, s:[], s:s}", "list", -3, 2.5, 1, 0,
		"none", "empty", "t", "\t/\x7f\xe2\x82\xac");
	json_t *is = json_loads(text_of(json_incref(was)), 0, NULL);

	CHECK(is != NULL && json_equal(was, is));
	json_decref(was);
	json_decref(is);
}

RUN_TESTS(TEST(writes_the_shortest_number_that_reads_back),
	TEST(has_no_number_where_there_is_none),
	TEST(writes_all_digits_of_a_counter), TEST(tells_moments_to_the_microsecond),
	TEST(keeps_texts_readable_whatever_bytes_a_device_sends),
	TEST(writes_what_another_reader_takes_for_the_same))
