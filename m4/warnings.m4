dnl SPDX-License-Identifier: PostgreSQL
dnl PGSLUICE_ADD_CFLAG(VARIABLE, FLAG): append FLAG when the compiler takes it.
AC_DEFUN([PGSLUICE_ADD_CFLAG], [
  AS_VAR_PUSHDEF([cache], [pgsluice_cv_cflag_$2])
  AC_CACHE_CHECK([whether $CC takes $2], [cache], [
    pgsluice_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
    CFLAGS=$pgsluice_saved_CFLAGS
  ])
  AS_VAR_IF([cache], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([cache])
])

dnl PGSLUICE_NEED(VARIABLE, PC-MODULE, DEBIAN-PACKAGE): a hard dependency.
AC_DEFUN([PGSLUICE_NEED], [
  PKG_CHECK_MODULES([$1], [$2], [],
    [AC_MSG_ERROR([$2 not found: on Debian, install $3])])
  PGSLUICE_CFLAGS="$PGSLUICE_CFLAGS $$1_CFLAGS"
  PGSLUICE_LIBS="$$1_LIBS $PGSLUICE_LIBS"
])
