dnl SPDX-License-Identifier: MIT
dnl How phpize builds the Compass extension.

PHP_ARG_ENABLE([compass],
  [whether to enable Compass],
  [AS_HELP_STRING([--enable-compass], [Enable the request probes of Compass])])

PHP_ARG_ENABLE([compass-always-armed],
  [whether Compass collects even with nobody attached],
  [AS_HELP_STRING([--enable-compass-always-armed],
    [Treat every probe as attached. For tests under valgrind; never for use])],
  [no],
  [no])

if test "$PHP_COMPASS" != "no"; then
  AC_CHECK_HEADER([sys/sdt.h], [], [
    AC_MSG_ERROR([sys/sdt.h is missing: install systemtap-sdt-dev (Debian) or systemtap-sdt-devel (Fedora)])
  ])

  dnl The ABI lives with the eBPF program; a copied source tree holds it beside the sources.
  PHP_ADD_INCLUDE([$ext_srcdir])
  if test -f "$ext_srcdir/../bpf/compass_abi.h"; then
    PHP_ADD_INCLUDE([$ext_srcdir/../bpf])
  fi

  if test "$PHP_COMPASS_ALWAYS_ARMED" != "no"; then
    AC_DEFINE([COMPASS_ALWAYS_ARMED], [1], [Treat every probe as attached])
  fi

  dnl PHP's own headers have unused parameters, and compare signs within macros.
  COMPASS_CFLAGS="-std=gnu11 -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare"
  COMPASS_SOURCES="compass.c compass_calls.c compass_identity.c compass_layout.c compass_names.c"
  COMPASS_SOURCES="$COMPASS_SOURCES compass_observer.c compass_probes.c compass_request.c compass_state.c compass_text.c compass_userland.c"
  PHP_NEW_EXTENSION([compass], [$COMPASS_SOURCES], [$ext_shared],, [$COMPASS_CFLAGS])
fi
