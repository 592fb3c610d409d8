# Finds libbpf >= 1.4: the system's, else the one that set-up put into the cache (which then is copied next to the addon).
# It is linked as a shared library: distributions build libbpf.a for executables, and an addon cannot take that in.
NODELAND_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nodeland
LIBBPF_CACHE ?= $(NODELAND_CACHE)/libbpf
VMLINUX_H ?= $(NODELAND_CACHE)/include/vmlinux.h
LIBBPF_MIN := 1.4

ifeq ($(shell pkg-config --atleast-version=$(LIBBPF_MIN) libbpf 2>/dev/null && echo yes),yes)
  LIBBPF_CFLAGS := $(shell pkg-config --cflags libbpf)
  LIBBPF_LIBS := $(shell pkg-config --libs libbpf)
  LIBBPF_SO :=
else ifneq ($(wildcard $(LIBBPF_CACHE)/lib/libbpf.so.1),)
  LIBBPF_CFLAGS := -I$(LIBBPF_CACHE)/include
  LIBBPF_SO := $(LIBBPF_CACHE)/lib/libbpf.so.1
  LIBBPF_LIBS := $(LIBBPF_SO)
else
  $(error libbpf >= $(LIBBPF_MIN) is missing: run `node scripts/setup.mjs`)
endif
