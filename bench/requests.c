// SPDX-License-Identifier: GPL-2.0-only
/*
 * requests.c: how long a request waits for a CPU. Each message thread hands a request to every one of its
 * workers that waits for one, once a period; a worker woken so computes for a while and waits again, as the
 * threads of a server do. Measured is, for each request, the time from the message thread's futex wake to the
 * worker's first instruction. The model is schbench (Chris Mason). Prints one line of JSON.
 *
 *     requests message-threads workers-of-each work-us period-us seconds
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "compute.h"

#define MAX_LATENCIES (1L << 16)

static struct {
  long senders, workers, work, period_us, seconds; /* workers of each sender; work in rounds of the loop */
} options;

static atomic_bool stop;
static pthread_barrier_t begin;

/*
 * A sender changes WAITING to REQUESTED, the worker changes it back, and main changes either to STOPPED once
 * the senders are gone. The worker may read what its sender wrote before REQUESTED.
 */
enum { WAITING, REQUESTED, STOPPED };
struct worker {
  _Alignas(128) _Atomic uint32_t state;
  uint64_t sent_ns;
  uint32_t *latencies_ns;
  long count;
};
static struct worker workers[MAX_THREADS];

static void futex(_Atomic uint32_t *word, int operation, uint32_t value) {
  syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void *serve(void *arg) {
  struct worker *mine = arg;

  pthread_barrier_wait(&begin);
  for (;;) {
    uint32_t requested = REQUESTED;
    uint64_t late_ns;

    while (atomic_load_explicit(&mine->state, memory_order_acquire) == WAITING)
      futex(&mine->state, FUTEX_WAIT, WAITING);
    if (atomic_load_explicit(&mine->state, memory_order_acquire) == STOPPED)
      return NULL;
    late_ns = clock_ns(CLOCK_MONOTONIC) - mine->sent_ns;
    if (mine->count < MAX_LATENCIES)
      mine->latencies_ns[mine->count++] = late_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)late_ns;
    compute(options.work);
    if (!atomic_compare_exchange_strong(&mine->state, &requested, WAITING))
      return NULL;
  }
}

static void *hand_out(void *arg) {
  struct worker *own = arg;
  uint64_t due_ns;

  pthread_barrier_wait(&begin);
  due_ns = clock_ns(CLOCK_MONOTONIC);
  while (!atomic_load(&stop)) {
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    struct timespec at;

    due_ns += (uint64_t)options.period_us * 1000;
    due_ns = due_ns > now_ns ? due_ns : now_ns;
    at.tv_sec = (time_t)(due_ns / 1000000000);
    at.tv_nsec = (long)(due_ns % 1000000000);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    for (long i = 0; i < options.workers; i++) {
      /* One that still computes gets none: what is measured is waking, not how long a queue is. */
      if (atomic_load_explicit(&own[i].state, memory_order_acquire) != WAITING)
        continue;
      own[i].sent_ns = clock_ns(CLOCK_MONOTONIC);
      atomic_store_explicit(&own[i].state, REQUESTED, memory_order_release);
      futex(&own[i].state, FUTEX_WAKE, 1);
    }
  }
  return NULL;
}

static int by_size(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

  return left < right ? -1 : left > right;
}

/* Latencies of all workers in order. */
static uint32_t *all_sorted(long all, long *count) {
  uint32_t *sorted;

  *count = 0;
  for (long i = 0; i < all; i++)
    *count += workers[i].count;
  sorted = malloc((size_t)(*count + 1) * sizeof(*sorted));
  if (!sorted)
    return NULL;
  *count = 0;
  for (long i = 0; i < all; i++) {
    for (long j = 0; j < workers[i].count; j++)
      sorted[(*count)++] = workers[i].latencies_ns[j];
  }
  qsort(sorted, (size_t)*count, sizeof(*sorted), by_size);
  return sorted;
}

static int start_all(pthread_t *threads, long all) {
  for (long i = 0; i < all; i++) {
    /* Touched before it is measured. */
    workers[i].latencies_ns = malloc(MAX_LATENCIES * sizeof(uint32_t));
    if (!workers[i].latencies_ns)
      return ENOMEM;
    for (long j = 0; j < MAX_LATENCIES; j += 1024)
      workers[i].latencies_ns[j] = 0;
  }
  for (long i = 0; i < all + options.senders; i++) {
    int error = i < all ? pthread_create(&threads[i], NULL, serve, &workers[i])
                        : pthread_create(&threads[i], NULL, hand_out, &workers[(i - all) * options.workers]);
    if (error)
      return error;
  }
  return 0;
}

int main(int argc, char **argv) {
  pthread_t threads[MAX_THREADS];
  uint32_t *sorted;
  long all, count;
  int error;

  if (argc != 6) {
    fprintf(stderr, "usage: requests message-threads workers-of-each work-us period-us seconds\n");
    return 64;
  }
  calibrate();
  options.senders = atol(argv[1]);
  options.workers = atol(argv[2]);
  options.work = (long)((double)atol(argv[3]) * rounds_per_us);
  options.period_us = atol(argv[4]);
  options.seconds = atol(argv[5]);
  all = options.senders * options.workers;
  if (options.senders < 1 || options.workers < 1 || all + options.senders > MAX_THREADS ||
      options.period_us < 1) {
    fprintf(stderr, "requests: 1 to %d threads in all, and a period of 1 us or more\n", MAX_THREADS);
    return 64;
  }
  pthread_barrier_init(&begin, NULL, (unsigned)(all + options.senders + 1));
  error = start_all(threads, all);
  if (error) {
    errno = error;
    perror("requests: threads");
    return 1;
  }
  pthread_barrier_wait(&begin);
  sleep((unsigned)options.seconds);
  atomic_store(&stop, true);
  for (long i = all; i < all + options.senders; i++)
    pthread_join(threads[i], NULL);
  for (long i = 0; i < all; i++) {
    atomic_store(&workers[i].state, STOPPED);
    futex(&workers[i].state, FUTEX_WAKE, 1);
  }
  for (long i = 0; i < all; i++)
    pthread_join(threads[i], NULL);
  sorted = all_sorted(all, &count);
  if (!sorted || count == 0) {
    fprintf(stderr, "requests: none was served\n");
    return 1;
  }
  printf("{\"requests\": %ld, \"p50Us\": %.1f, \"p99Us\": %.1f, \"p999Us\": %.1f, \"maxUs\": %.1f}\n", count,
         sorted[count / 2] / 1e3, sorted[count * 99 / 100] / 1e3, sorted[count * 999 / 1000] / 1e3,
         sorted[count - 1] / 1e3);
  return 0;
}
