// SPDX-License-Identifier: GPL-2.0-only
/*
 * critical.c: threads that take one lock in turn, with and without telling the scheduler of their critical
 * sections, beside threads that wake often. Prints one line of JSON.
 *
 *     critical spin|mutex request(0|1) threads timers hold-us work-us seconds
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <nodeland/critical.h>

#include "compute.h"

#define SPINS_BEFORE_YIELD 2000
#define TIMER_PERIOD_NS 2000000
#define TIMER_BURST_US 400

static struct {
  bool mutex, request;
  long threads, timers, hold, work, burst, seconds; /* hold, work and burst in rounds of the loop */
} options;

static atomic_bool spin_lock;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stop;
static pthread_barrier_t begin;

struct result {
  _Alignas(128) uint64_t ops;
  uint64_t wait_ns;
  uint64_t longest_wait_ns;
  uint64_t longest_hold_ns;
  uint64_t preempted; /* sections in which it lost its CPU against its will */
};
static struct result results[MAX_THREADS];

static void lock(void) {
  int spins = 0;

  if (options.mutex) {
    pthread_mutex_lock(&mutex);
    return;
  }
  while (atomic_load_explicit(&spin_lock, memory_order_relaxed) ||
         atomic_exchange_explicit(&spin_lock, true, memory_order_acquire)) {
    if (++spins % SPINS_BEFORE_YIELD == 0)
      sched_yield();
  }
}

static void unlock(void) {
  if (options.mutex)
    pthread_mutex_unlock(&mutex);
  else
    atomic_store_explicit(&spin_lock, false, memory_order_release);
}

static long times_preempted(void) {
  struct rusage usage;

  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void *take_turns(void *arg) {
  struct result *mine = arg;

  pthread_barrier_wait(&begin);
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    uint64_t asked = clock_ns(CLOCK_MONOTONIC), had;
    long before;

    lock();
    if (options.request)
      nl_critical_enter();
    had = clock_ns(CLOCK_MONOTONIC);
    before = times_preempted();
    compute(options.hold);
    mine->preempted += times_preempted() > before;
    mine->longest_hold_ns = later(mine->longest_hold_ns, clock_ns(CLOCK_MONOTONIC) - had);
    unlock();
    if (options.request)
      nl_critical_leave();
    mine->wait_ns += had - asked;
    mine->longest_wait_ns = later(mine->longest_wait_ns, had - asked);
    mine->ops++;
    compute(options.work);
  }
  return NULL;
}

/* Wakes every TIMER_PERIOD_NS and computes for a little: what interrupts the others. */
static void *wake_often(void *arg) {
  struct result *mine = arg;
  uint64_t due;

  pthread_barrier_wait(&begin);
  due = clock_ns(CLOCK_MONOTONIC);
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    struct timespec at;
    uint64_t late;

    due = later(due + TIMER_PERIOD_NS, clock_ns(CLOCK_MONOTONIC));
    at.tv_sec = (time_t)(due / 1000000000);
    at.tv_nsec = (long)(due % 1000000000);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    late = clock_ns(CLOCK_MONOTONIC) - due;
    mine->wait_ns += late;
    mine->longest_wait_ns = later(mine->longest_wait_ns, late);
    mine->ops++;
    compute(options.burst);
  }
  return NULL;
}

int main(int argc, char **argv) {
  struct result sum = {0}, timers = {0};
  pthread_t threads[MAX_THREADS];
  uint64_t start, elapsed_ns;

  if (argc != 8 || (strcmp(argv[1], "spin") && strcmp(argv[1], "mutex"))) {
    fprintf(stderr, "usage: critical spin|mutex 0|1 threads timers hold-us work-us seconds\n");
    return 64;
  }
  calibrate();
  options.mutex = !strcmp(argv[1], "mutex");
  options.request = atoi(argv[2]);
  options.threads = atol(argv[3]);
  options.timers = atol(argv[4]);
  options.hold = (long)((double)atol(argv[5]) * rounds_per_us);
  options.work = (long)((double)atol(argv[6]) * rounds_per_us);
  options.burst = (long)(TIMER_BURST_US * rounds_per_us);
  options.seconds = atol(argv[7]);
  if (options.threads < 1 || options.timers < 0 || options.threads + options.timers > MAX_THREADS) {
    fprintf(stderr, "critical: 1 to %d threads\n", MAX_THREADS);
    return 64;
  }
  pthread_barrier_init(&begin, NULL, (unsigned)(options.threads + options.timers + 1));
  for (long i = 0; i < options.threads + options.timers; i++) {
    if (pthread_create(&threads[i], NULL, i < options.threads ? take_turns : wake_often, &results[i])) {
      perror("critical: pthread_create");
      return 1;
    }
  }
  pthread_barrier_wait(&begin);
  start = clock_ns(CLOCK_MONOTONIC);
  sleep((unsigned)options.seconds);
  atomic_store(&stop, true);
  elapsed_ns = clock_ns(CLOCK_MONOTONIC) - start;
  for (long i = 0; i < options.threads + options.timers; i++) {
    pthread_join(threads[i], NULL);
    if (i >= options.threads) {
      timers.ops += results[i].ops;
      timers.wait_ns += results[i].wait_ns;
      timers.longest_wait_ns = later(timers.longest_wait_ns, results[i].longest_wait_ns);
      continue;
    }
    sum.ops += results[i].ops;
    sum.preempted += results[i].preempted;
    sum.wait_ns += results[i].wait_ns;
    sum.longest_wait_ns = later(sum.longest_wait_ns, results[i].longest_wait_ns);
    sum.longest_hold_ns = later(sum.longest_hold_ns, results[i].longest_hold_ns);
  }
  printf("{\"opsPerS\": %.1f, \"preempted\": %llu, \"meanWaitUs\": %.1f, \"longestWaitUs\": %.0f, "
         "\"longestHoldUs\": %.0f, "
         "\"timerLateUs\": %.1f, \"timerLatestUs\": %.0f}\n",
         (double)sum.ops * 1e9 / (double)elapsed_ns, (unsigned long long)sum.preempted,
         (double)sum.wait_ns / 1e3 / (double)(sum.ops ? sum.ops : 1), (double)sum.longest_wait_ns / 1e3,
         (double)sum.longest_hold_ns / 1e3,
         (double)timers.wait_ns / 1e3 / (double)(timers.ops ? timers.ops : 1),
         (double)timers.longest_wait_ns / 1e3);
  return 0;
}
