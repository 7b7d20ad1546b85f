/* check.h - cmocka with pollwerk's spelling: CHECK(condition), CHECK_STR, CHECK_INT. */
#ifndef PW_CHECK_H
#define PW_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHECK(condition) assert_true(condition)
#define CHECK_STR(is, wanted) assert_string_equal(is, wanted)
#define CHECK_INT(is, wanted) assert_int_equal(is, wanted)
#define CHECK_NEAR(is, wanted, error)                                                  \
	do {                                                                           \
		double near_is = (is), near_wanted = (wanted), near_error = (error);   \
		if (!(near_is >= near_wanted - near_error &&                           \
			    near_is <= near_wanted + near_error)) {                    \
			print_error("%s is %.17g, wanted %.17g\n", #is, near_is,       \
				near_wanted);                                          \
			fail();                                                        \
		}                                                                      \
	} while (0)
/* cmocka wants void **state; a test here takes nothing. */
#define TEST(function) { #function, (CMUnitTestFunction)(void *)(function), NULL, NULL, NULL }
#define RUN_TESTS(...)                                                                 \
	int main(void)                                                                 \
	{                                                                              \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };                     \
		return cmocka_run_group_tests(tests, NULL, NULL);                      \
	}
#endif
