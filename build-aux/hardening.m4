# Each flag is tried before it is used: an older or a different compiler leaves out what it
# does not know instead of failing.
AC_DEFUN([PW_TRY_CFLAG], [
	AC_MSG_CHECKING([whether $CC takes $1])
	pw_saved="$CFLAGS"
	CFLAGS="$CFLAGS -Werror $1"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
		[PW_CFLAGS="$PW_CFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
	CFLAGS="$pw_saved"])
AC_DEFUN([PW_TRY_LDFLAG], [
	AC_MSG_CHECKING([whether the linker takes $1])
	pw_saved="$LDFLAGS"
	LDFLAGS="$LDFLAGS $1"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
		[PW_LDFLAGS="$PW_LDFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
	LDFLAGS="$pw_saved"])
AC_DEFUN([PW_HARDENING], [
	AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
		[leave out the hardening flags (sanitizer builds)])], [], [enable_hardening=yes])
	m4_foreach_w([flag], [-Wall -Wextra -Wformat=2 -Werror=format-security -Wvla
		-Wimplicit-fallthrough -Wstrict-prototypes -Wmissing-prototypes -Wshadow
		-Wpointer-arith -Wwrite-strings -fvisibility=hidden -fno-strict-aliasing
		-fno-strict-overflow -fno-delete-null-pointer-checks], [PW_TRY_CFLAG(flag)])
	AS_IF([test "$enable_hardening" = yes], [
		m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection
			-fcf-protection=full -ftrivial-auto-var-init=zero
			-fzero-call-used-regs=used-gpr -fPIE], [PW_TRY_CFLAG(flag)])
		AS_CASE(["$CFLAGS"], [*-O0*], [],
			[PW_CFLAGS="$PW_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
		m4_foreach_w([flag], [-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
			-Wl,-z,separate-code -Wl,--as-needed], [PW_TRY_LDFLAG(flag)])])
	AC_SUBST([PW_CFLAGS])
	AC_SUBST([PW_LDFLAGS])])
