// crowd: many processes at once, for so many seconds; prints how many turns they had, and how many the least
// lucky one had.
//   crowd sleepers COUNT SECONDS   each sleeps for a quarter of a second, again and again
//   crowd hoppers COUNT SECONDS    each goes from SCHED_OTHER to SCHED_FIFO, back, and to SCHED_EXT and back
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SCHED_EXT
#define SCHED_EXT 7
#endif

static void sleep_ms(long ms) {
  const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&ts, NULL);
}

static void become(int policy, int priority) {
  const struct sched_param param = {.sched_priority = priority};
  if (sched_setscheduler(0, policy, &param) != 0) {
    perror("sched_setscheduler");
    exit(1);
  }
}

static void hop(void) {
  become(SCHED_FIFO, 10);
  sleep_ms(1);
  become(SCHED_OTHER, 0);
  sleep_ms(1);
  become(SCHED_EXT, 0);
  sleep_ms(1);
  become(SCHED_OTHER, 0);
}

static void doze(void) { sleep_ms(250); }

int main(int argc, char **argv) {
  if (argc != 4 || (strcmp(argv[1], "sleepers") != 0 && strcmp(argv[1], "hoppers") != 0)) {
    fprintf(stderr, "usage: crowd sleepers|hoppers COUNT SECONDS\n");
    return 64;
  }
  void (*const turn)(void) = strcmp(argv[1], "hoppers") == 0 ? hop : doze;
  const int count = atoi(argv[2]), seconds = atoi(argv[3]);
  _Atomic unsigned *turns =
      mmap(NULL, sizeof(*turns) * (size_t)count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t *children = calloc((size_t)count, sizeof(*children));
  if (turns == MAP_FAILED || children == NULL)
    return 1;
  for (int i = 0; i < count; i++) {
    children[i] = fork();
    if (children[i] < 0) {
      perror("fork");
      return 1;
    }
    if (children[i] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;; turns[i]++)
        turn();
    }
  }
  sleep_ms(seconds * 1000L);
  unsigned long total = 0;
  unsigned least = ~0U;
  int failed = 0;
  for (int i = 0; i < count; i++) {
    int status;
    kill(children[i], SIGKILL);
    if (waitpid(children[i], &status, 0) != children[i] || !WIFSIGNALED(status))
      failed++;
    total += turns[i];
    least = turns[i] < least ? turns[i] : least;
  }
  printf("{\"total\":%lu,\"least\":%u,\"failed\":%d}\n", total, least, failed);
  return failed == 0 ? 0 : 1;
}
