/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * critical.h: tells the scheduler that this thread is in a critical section, so that it is not taken off its
 * CPU inside one, within a bound.
 *
 *     pthread_mutex_lock(&lock);
 *     nl_critical_enter();
 *     ...                        a few microseconds, no system calls that sleep
 *     pthread_mutex_unlock(&lock);
 *     nl_critical_leave();
 *
 * Enter after the lock is had, so that waiting for it is not prolonged; leave after it is given back. A pair
 * costs a few nanoseconds. Sections of one thread do not nest: the first nl_critical_leave() ends them all.
 *
 * What is written is the byte slice_ctrl.request of the thread's rseq area, at offset 28 of struct rseq: the
 * interface of Linux 7.0 for the same thing (Documentation/userspace-api/rseq.rst). nodeland reads it on
 * every kernel it runs on, and gives the section --extension-us, once before the thread waits again. A kernel
 * with CONFIG_RSEQ_SLICE_EXTENSION does so by itself, under any scheduler, for the few microseconds that it
 * is set to, for threads that called nl_critical_ask_kernel().
 *
 * It does nothing where the C library has registered no area: before glibc 2.35, with other C libraries, or
 * with GLIBC_TUNABLES=glibc.pthread.rseq=0. For Linux on x86-64 and arm64, in C99 and C++11.
 */
#ifndef NODELAND_CRITICAL_H
#define NODELAND_CRITICAL_H

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__)) && defined(__has_include)
#if __has_include(<sys/rseq.h>)
#define NL_CRITICAL_HAS_RSEQ 1
#endif
#endif

#ifdef NL_CRITICAL_HAS_RSEQ
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <unistd.h>

/* The same on both architectures. */
#define NL_SYS_RSEQ_SLICE_YIELD 471
#define NL_PR_RSEQ_SLICE_EXTENSION 79
#define NL_PR_RSEQ_SLICE_EXTENSION_SET 2
#define NL_PR_RSEQ_SLICE_EXT_ENABLE 1
#define NL_RSEQ_SLICE_CTRL_OFF 28

#if !defined(__cplusplus) && !defined(_DEFAULT_SOURCE)
extern long syscall(long number, ...);
#endif

/* The bytes request and granted of this thread; NULL when there is no area. Its length is at least 32 bytes.
 */
static inline volatile unsigned char *nl_critical_bytes(void) {
  char *thread;

  if (!__rseq_size)
    return 0;
#ifdef __x86_64__
  __asm__ volatile("mov %%fs:0, %0" : "=r"(thread));
#else
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(thread));
#endif
  return (volatile unsigned char *)(thread + __rseq_offset + NL_RSEQ_SLICE_CTRL_OFF);
}

/* nl_critical_enter: from here on. A signal handler runs within the section of what it interrupts. */
static inline void nl_critical_enter(void) {
  volatile unsigned char *bytes = nl_critical_bytes();

  if (bytes)
    bytes[0] = 1;
  __asm__ volatile("" ::: "memory");
}

/* nl_critical_leave: up to here. Where the kernel itself granted an extension, the CPU goes to who waits for
 * it. */
static inline void nl_critical_leave(void) {
  volatile unsigned char *bytes = nl_critical_bytes();

  __asm__ volatile("" ::: "memory");
  if (!bytes)
    return;
  bytes[0] = 0;
  if (bytes[1])
    syscall(NL_SYS_RSEQ_SLICE_YIELD);
}

/*
 * nl_critical_ask_kernel: has the kernel itself grant this thread extensions; 0, or -1 where it cannot
 * (before 7.0, or switched off). nodeland does not need it. The kernel then ends an extension at the first
 * system call, and ends the program with SIGSEGV if anything but these functions writes the bytes.
 */
static inline int nl_critical_ask_kernel(void) {
  return prctl(NL_PR_RSEQ_SLICE_EXTENSION, NL_PR_RSEQ_SLICE_EXTENSION_SET, NL_PR_RSEQ_SLICE_EXT_ENABLE, 0, 0);
}

#else

static inline void nl_critical_enter(void) {}
static inline void nl_critical_leave(void) {}
static inline int nl_critical_ask_kernel(void) { return -1; }

#endif
#endif
