// canary: tasks that notice when they do not get their turn. `canary 0,1 2,3` starts the same five in each
// domain, allowed on exactly that domain's CPUs:
//   sleeper (2)  sleeps until an absolute time, 2 and 5 ms ahead: late by now - target
//   pair (2)     wake one another through pipes: late by now - the waker's stamp. The first one also sleeps,
//   unmeasured burner       computes for 30 ms and sleeps for 30 ms, so that its slice ends: late by now -
//   target
// Commands on stdin, a line each:
//   mark NAME    prints one JSON line about the time since the mark before, and starts anew
//   pin          gives every canary its CPUs again (the kernel takes them away when all have gone offline)
//   quit         ends
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

enum { MAX_DOMAINS = 64, PER_DOMAIN = 5, PIPE_PERIOD_MS = 3, BURN_MS = 30 };

struct canary {
  _Alignas(128) _Atomic uint64_t wakes;
  _Atomic uint64_t max_ns;
  _Atomic uint64_t max_at_ns;
  _Atomic uint64_t last_ns;
  const char *kind;
  int domain;
  cpu_set_t cpus;
  uint64_t period_ns;
  int read_fd, write_fd;
  _Atomic uint64_t *stamp_in, *stamp_out;
  pthread_t thread;
};

struct pair {
  int there[2], back[2];
  _Atomic uint64_t there_ns, back_ns;
};

static struct canary canaries[MAX_DOMAINS * PER_DOMAIN];
static struct pair pairs[MAX_DOMAINS];
static int nr_canaries;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static void sleep_until(uint64_t target_ns) {
  const struct timespec ts = {.tv_sec = (time_t)(target_ns / NS_PER_S),
                              .tv_nsec = (long)(target_ns % NS_PER_S)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
  }
}

// The canary woke now and should have at target_ns.
static uint64_t woke(struct canary *c, uint64_t target_ns) {
  const uint64_t now = now_ns();
  const uint64_t late_ns = now > target_ns ? now - target_ns : 0;
  atomic_fetch_add(&c->wakes, 1);
  atomic_store(&c->last_ns, now);
  if (late_ns > atomic_load(&c->max_ns)) {
    atomic_store(&c->max_ns, late_ns);
    atomic_store(&c->max_at_ns, now);
  }
  return now;
}

static _Noreturn void *sleeper(void *arg) {
  struct canary *c = arg;
  for (uint64_t target = now_ns();;) {
    target += c->period_ns;
    sleep_until(target);
    const uint64_t now = woke(c, target);
    if (now > target + c->period_ns)
      target = now;
  }
}

static _Noreturn void *burner(void *arg) {
  struct canary *c = arg;
  for (;;) {
    const uint64_t target = now_ns() + c->period_ns;
    sleep_until(target);
    woke(c, target);
    const uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + c->period_ns;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
    }
  }
}

static void send_to(struct canary *c) {
  atomic_store(c->stamp_out, now_ns());
  if (write(c->write_fd, "x", 1) != 1)
    fail("write");
}

static void receive(struct canary *c) {
  char byte;
  if (read(c->read_fd, &byte, 1) != 1)
    fail("read");
  woke(c, atomic_load(c->stamp_in));
}

static _Noreturn void *caller(void *arg) {
  struct canary *c = arg;
  for (;;) {
    sleep_until(now_ns() + c->period_ns);
    send_to(c);
    receive(c);
  }
}

static _Noreturn void *answerer(void *arg) {
  struct canary *c = arg;
  for (;;) {
    receive(c);
    send_to(c);
  }
}

static cpu_set_t parse_cpus(const char *list) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (const char *at = list; *at != '\0';) {
    char *end;
    const long first = strtol(at, &end, 10);
    const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
    if (end == at || first < 0 || last < first || last >= CPU_SETSIZE || (*end != ',' && *end != '\0')) {
      fprintf(stderr, "canary: \"%s\" is no list of CPUs\n", list);
      exit(1);
    }
    for (long cpu = first; cpu <= last; cpu++)
      CPU_SET((size_t)cpu, &cpus);
    at = *end == ',' ? end + 1 : end;
  }
  return cpus;
}

static struct canary *start(int domain, const cpu_set_t *cpus, const char *kind, uint64_t period_ms,
                            void *(*run)(void *), int read_fd, int write_fd, _Atomic uint64_t *stamp_in,
                            _Atomic uint64_t *stamp_out) {
  struct canary *c = &canaries[nr_canaries++];
  pthread_attr_t attr;
  c->kind = kind;
  c->domain = domain;
  c->cpus = *cpus;
  c->period_ns = period_ms * NS_PER_MS;
  c->read_fd = read_fd;
  c->write_fd = write_fd;
  c->stamp_in = stamp_in;
  c->stamp_out = stamp_out;
  c->last_ns = now_ns();
  pthread_attr_init(&attr);
  pthread_attr_setaffinity_np(&attr, sizeof(c->cpus), &c->cpus);
  pthread_attr_setstacksize(&attr, 64 * 1024);
  if (pthread_create(&c->thread, &attr, run, c) != 0)
    fail("pthread_create");
  return c;
}

static void start_domain(int domain, const char *list) {
  const cpu_set_t cpus = parse_cpus(list);
  struct pair *p = &pairs[domain];
  if (pipe(p->there) != 0 || pipe(p->back) != 0)
    fail("pipe");
  start(domain, &cpus, "sleeper", 2, sleeper, -1, -1, NULL, NULL);
  start(domain, &cpus, "sleeper", 5, sleeper, -1, -1, NULL, NULL);
  start(domain, &cpus, "pair", PIPE_PERIOD_MS, answerer, p->there[0], p->back[1], &p->there_ns, &p->back_ns);
  start(domain, &cpus, "pair", PIPE_PERIOD_MS, caller, p->back[0], p->there[1], &p->back_ns, &p->there_ns);
  start(domain, &cpus, "burner", BURN_MS, burner, -1, -1, NULL, NULL);
}

static void mark(const char *name, uint64_t *since_ns) {
  const uint64_t now = now_ns(), since = *since_ns;
  printf("{\"mark\":\"%s\",\"seconds\":%.3f,\"canaries\":[", name, (double)(now - since) / NS_PER_S);
  for (int i = 0; i < nr_canaries; i++) {
    struct canary *c = &canaries[i];
    const uint64_t last = atomic_load(&c->last_ns), max_at = atomic_load(&c->max_at_ns);
    printf("%s{\"domain\":%d,\"kind\":\"%s\",\"wakes\":%llu,\"maxUs\":%llu,\"maxAtS\":%.3f,"
           "\"sinceLastWakeUs\":%llu}",
           i == 0 ? "" : ",", c->domain, c->kind, (unsigned long long)atomic_exchange(&c->wakes, 0),
           (unsigned long long)(atomic_exchange(&c->max_ns, 0) / NS_PER_US),
           max_at > since ? (double)(max_at - since) / NS_PER_S : 0.0,
           (unsigned long long)(now > last ? (now - last) / NS_PER_US : 0));
  }
  printf("]}\n");
  fflush(stdout);
  *since_ns = now;
}

int main(int argc, char **argv) {
  char line[256];
  if (argc < 2 || argc - 1 > MAX_DOMAINS) {
    fprintf(stderr, "usage: canary CPUS [CPUS...], a list for each domain\n");
    return 64;
  }
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
    perror("mlockall");
  for (int domain = 0; domain < argc - 1; domain++)
    start_domain(domain, argv[domain + 1]);
  uint64_t since_ns = now_ns();
  while (fgets(line, sizeof(line), stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "mark ", 5) == 0)
      mark(line + 5, &since_ns);
    else if (strcmp(line, "pin") == 0)
      for (int i = 0; i < nr_canaries; i++)
        pthread_setaffinity_np(canaries[i].thread, sizeof(canaries[i].cpus), &canaries[i].cpus);
    else if (strcmp(line, "quit") == 0)
      break;
  }
  return 0;
}
