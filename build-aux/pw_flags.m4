# Warnings, hardening and sanitizers. Each flag is tried before it is used: an older or a
# different compiler leaves out what it does not know instead of failing.
# CFLAGS and LDFLAGS stay the user's; what is found goes to PW_CFLAGS and PW_LDFLAGS.

AC_DEFUN([PW_TRY_CFLAG], [
	AC_MSG_CHECKING([whether $CC takes $1])
	pw_saved="$CFLAGS"
	CFLAGS="$CFLAGS -Werror $1"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [])],
		[PW_CFLAGS="$PW_CFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
	CFLAGS="$pw_saved"])
AC_DEFUN([PW_TRY_LDFLAG], [
	AC_MSG_CHECKING([whether the linker takes $1])
	pw_saved="$LDFLAGS"
	LDFLAGS="$LDFLAGS -Werror $1"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
		[PW_LDFLAGS="$PW_LDFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
	LDFLAGS="$pw_saved"])

# In every build. Symbols are hidden because libnetsnmp and libconfig export generic names
# that would clash with ours.
AC_DEFUN([PW_WARNINGS], [
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
		[warnings are errors (for the project's own checks)])], [], [enable_werror=no])
	dnl the second means nothing without the first
	PW_TRY_CFLAG([-Wformat=2 -Werror=format-security])
	m4_foreach_w([flag], [-Wall -Wextra -Wvla
		-Wimplicit-fallthrough -Wstrict-prototypes -Wmissing-prototypes -Wshadow
		-Wpointer-arith -Wwrite-strings -Walloc-zero -Wtrampolines -Warray-bounds=2
		-fvisibility=hidden -fno-strict-aliasing -fno-strict-overflow
		-fno-delete-null-pointer-checks], [PW_TRY_CFLAG(m4_defn([flag]))])
	AS_IF([test "$enable_werror" = yes], [PW_CFLAGS="$PW_CFLAGS -Werror"])
	AC_SUBST([PW_CFLAGS])])

# The sanitizers bring their own checks of what _FORTIFY_SOURCE and friends catch, and
# they do not go together.
AC_DEFUN([PW_SANITIZERS], [
	AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers],
		[build with AddressSanitizer and UndefinedBehaviorSanitizer, without hardening])],
		[], [enable_sanitizers=no])
	AS_IF([test "$enable_sanitizers" = yes], [
		pw_sanitize="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
		AC_MSG_CHECKING([whether $CC links with $pw_sanitize])
		pw_saved="$CFLAGS"
		CFLAGS="$CFLAGS $pw_sanitize"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			AC_MSG_ERROR([--enable-sanitizers: $CC has no libasan and libubsan: apt-get install gcc])])
		CFLAGS="$pw_saved"
		PW_CFLAGS="$PW_CFLAGS $pw_sanitize -fno-omit-frame-pointer"
		PW_LDFLAGS="$PW_LDFLAGS $pw_sanitize"
		enable_hardening=no])])

AC_DEFUN([PW_HARDENING], [
	AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
		[leave out the hardening flags (for debugging)])], [],
		[AS_IF([test "$enable_sanitizers" = yes], [enable_hardening=no],
			[enable_hardening=yes])])
	dnl Not -ftrivial-auto-var-init: with it gcc 12 clears the hole behind an array of five and
	dnl more structs in the wrong place, which is inside the array (struct { struct { void *a,
	dnl *b; } pairs[[5]]; int count; } with an initializer): a wrong value, silently.
	AS_IF([test "$enable_hardening" = yes], [
		m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection
			-fcf-protection=full
			-fzero-call-used-regs=used-gpr -fPIE], [PW_TRY_CFLAG(m4_defn([flag]))])
		dnl Does nothing without -O. Undefined first: distributions give it on the
		dnl command line or inside the compiler.
		PW_TRY_CFLAG([-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3])
		m4_foreach_w([flag], [-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
			-Wl,-z,separate-code -Wl,-z,nodlopen -Wl,--as-needed],
			[PW_TRY_LDFLAG(m4_defn([flag]))])])
	AC_SUBST([enable_hardening])
	AC_SUBST([PW_LDFLAGS])])
