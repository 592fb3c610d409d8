// SPDX-License-Identifier: GPL-2.0-only
/*
 * libbpf-pair.c: libbpf's ring buffer pair, measured on one CPU, one round at a time.
 *
 *   libbpf-pair OBJECT CPU
 *
 * Says "ready VERSION", then for each line "BATCHES TASKS JOB" on stdin does so many batches of so many tasks
 * and answers with one line: push, consume and drain of each batch in nanoseconds, "P,C,D P,C,D ...". Ends
 * with stdin. JOB is 0: nodeland's bookkeeping and checks; 1: none; 2: those of 0, and the task is found by
 * its pid; 3: those of 0, one decision per drain.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libbpf-pair.h"

enum { JOBS = 4, SLEEPERS = 128 };

struct pair {
  struct ring_buffer *queued;
  struct user_ring_buffer *dispatched;
  int push_fd[JOBS];
  int drain_fd[JOBS];
};

static void fail(const char *what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  exit(1);
}

static unsigned long long now_ns(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec;
}

/* The least that a scheduler does with a record: it reads what it orders by, and writes a decision. */
static int decide(void *context, void *data, size_t size) {
  struct pair *pair = context;
  const struct pair_task *task = data;
  struct pair_decision *decision = user_ring_buffer__reserve(pair->dispatched, sizeof(*decision));

  if (!decision || size < sizeof(*task))
    return -ENOSPC;
  decision->pid = task->pid;
  decision->cpu = task->cpu;
  decision->number = task->number;
  decision->flags = 0;
  decision->slice_ns = 5000000;
  decision->vtime_ns = task->vtime_ns + task->exec_runtime_ns * 100 / task->weight;
  decision->enq_count = task->enq_count;
  user_ring_buffer__submit(pair->dispatched, decision);
  return 0;
}

static struct pair_args run(int fd, __u32 count, const char *what) {
  struct pair_args args = {.count = count};
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &args, .ctx_size_in = sizeof(args));
  int error = bpf_prog_test_run_opts(fd, &options);

  if (error)
    fail(what, -error);
  if (args.done != count) {
    fprintf(stderr, "%s: %u of %u tasks\n", what, args.done, count);
    exit(1);
  }
  return args;
}

static void batch(struct pair *pair, __u32 tasks, unsigned int job) {
  struct pair_args pushed = run(pair->push_fd[job], tasks, "pair_push");
  unsigned long long start = now_ns();
  int consumed = ring_buffer__consume(pair->queued);
  unsigned long long consume_ns = now_ns() - start;

  if (consumed != (int)tasks)
    fail("ring_buffer__consume", consumed < 0 ? -consumed : EIO);
  struct pair_args drained = run(pair->drain_fd[job], tasks, "pair_drain");
  printf("%llu,%llu,%llu ", (unsigned long long)pushed.elapsed_ns, consume_ns,
         (unsigned long long)drained.elapsed_ns);
}

static int program_fd(struct bpf_object *object, const char *name) {
  struct bpf_program *program = bpf_object__find_program_by_name(object, name);

  if (!program)
    fail(name, ENOENT);
  return bpf_program__fd(program);
}

static struct bpf_object *load(const char *path) {
  struct bpf_object *object = bpf_object__open(path);

  if (!object)
    fail(path, errno);
  int error = bpf_object__load(object);
  if (error)
    fail(path, -error);
  return object;
}

static void pin(int cpu) {
  cpu_set_t *set = CPU_ALLOC(cpu + 1);
  size_t size = CPU_ALLOC_SIZE(cpu + 1);

  if (!set)
    fail("CPU_ALLOC", ENOMEM);
  CPU_ZERO_S(size, set);
  CPU_SET_S(cpu, size, set);
  if (sched_setaffinity(0, size, set))
    fail("sched_setaffinity", errno);
  CPU_FREE(set);
}

static void *sleep_for_ever(void *tid) {
  atomic_store((_Atomic int *)tid, gettid());
  while (pause())
    ;
  return NULL;
}

/* Threads that only sleep, so that there are tasks with pids. They go when the process does. */
static void give_pids(int name_fd) {
  static _Atomic int tids[SLEEPERS];
  pthread_attr_t small;
  pthread_t thread;

  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  for (int i = 0; i < SLEEPERS; i++) {
    int error = pthread_create(&thread, &small, sleep_for_ever, &tids[i]);

    if (error)
      fail("pthread_create", error);
    while (!atomic_load(&tids[i]))
      sched_yield();
  }
  pthread_attr_destroy(&small);
  for (__u32 slot = 0; slot < PAIR_PLACES; slot++) {
    struct pair_args args = {.count = slot, .done = (__u32)tids[slot % SLEEPERS]};
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &args, .ctx_size_in = sizeof(args));
    int error = bpf_prog_test_run_opts(name_fd, &options);

    if (error)
      fail("pair_name", -error);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: libbpf-pair OBJECT CPU\n");
    return 64;
  }
  pin(atoi(argv[2]));
  struct bpf_object *object = load(argv[1]);
  struct pair pair = {
      .push_fd = {program_fd(object, "pair_push"), program_fd(object, "pair_push_bare"),
                  program_fd(object, "pair_push"), program_fd(object, "pair_push")},
      .drain_fd = {program_fd(object, "pair_drain"), program_fd(object, "pair_drain_bare"),
                   program_fd(object, "pair_drain_pid"), program_fd(object, "pair_drain_singly")},
  };
  pair.queued = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "queued"), decide, &pair, NULL);
  pair.dispatched = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "dispatched"), NULL);
  if (!pair.queued || !pair.dispatched)
    fail("ring buffers", errno);
  printf("ready %s\n", libbpf_version_string());
  fflush(stdout);

  give_pids(program_fd(object, "pair_name"));
  unsigned int batches, tasks, job;
  while (scanf("%u %u %u", &batches, &tasks, &job) == 3 && job < JOBS) {
    for (unsigned int done = 0; done < batches; done++)
      batch(&pair, tasks, job);
    printf("\n");
    fflush(stdout);
  }
  user_ring_buffer__free(pair.dispatched);
  ring_buffer__free(pair.queued);
  bpf_object__close(object);
  return 0;
}
