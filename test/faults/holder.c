// SPDX-License-Identifier: GPL-2.0-only
/*
 * holder.c: computes for some seconds and notes when it did not run. With "greedy" it says all the time that
 * it is in a critical section. Prints its CPU time and the times it waited, as JSON.
 *
 *     holder greedy|plain seconds
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nodeland/critical.h>

/* Shorter pauses are interrupts, and the turns of an emulated machine's CPUs. */
#define LEAST_WAIT_NS 3000000
#define MAX_WAITS 100000

static uint32_t waits_us[MAX_WAITS];

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;

  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv) {
  uint64_t end, last, now;
  size_t n = 0;

  if (argc != 3)
    return 64;
  if (!strcmp(argv[1], "greedy"))
    nl_critical_enter();
  last = clock_ns(CLOCK_MONOTONIC);
  end = last + strtoull(argv[2], NULL, 10) * 1000000000;
  while ((now = clock_ns(CLOCK_MONOTONIC)) < end) {
    if (now - last > LEAST_WAIT_NS && n < MAX_WAITS)
      waits_us[n++] = (uint32_t)((now - last) / 1000);
    last = now;
  }
  printf("{\"ranMs\": %llu, \"waitsUs\": [",
         (unsigned long long)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000000);
  for (size_t i = 0; i < n; i++)
    printf("%s%u", i ? "," : "", waits_us[i]);
  printf("]}\n");
  return 0;
}
