// SPDX-License-Identifier: GPL-2.0-only
/* compute.h: work of a known length for the benchmarks' programs. For one source file each. */
#ifndef NODELAND_BENCH_COMPUTE_H
#define NODELAND_BENCH_COMPUTE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;

  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void compute(long rounds) {
  for (volatile long i = 0; i < rounds; i++)
    ;
}

/* Rounds of compute() in a microsecond of a thread's time. */
static double rounds_per_us;

static struct {
  pthread_barrier_t begin;
  atomic_bool done;
} calibration;

static void *keep_busy(void *unused) {
  (void)unused;
  pthread_barrier_wait(&calibration.begin);
  while (!atomic_load_explicit(&calibration.done, memory_order_relaxed))
    compute(1000);
  return NULL;
}

/* With every CPU busy from the beginning to the end: an emulated machine's then share the time of one. */
static void calibrate(void) {
  const long rounds = 2000000;
  pthread_t threads[MAX_THREADS];
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  uint64_t start;

  n = n > MAX_THREADS ? MAX_THREADS : n;
  pthread_barrier_init(&calibration.begin, NULL, (unsigned)n);
  for (long i = 1; i < n; i++)
    pthread_create(&threads[i], NULL, keep_busy, NULL);
  pthread_barrier_wait(&calibration.begin);
  /* Until each has found a CPU. */
  compute(rounds);
  start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  compute(rounds);
  rounds_per_us = (double)rounds * 1000 / (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start);
  atomic_store(&calibration.done, true);
  for (long i = 1; i < n; i++)
    pthread_join(threads[i], NULL);
}

#endif
