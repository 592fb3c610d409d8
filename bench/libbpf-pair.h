/* SPDX-License-Identifier: GPL-2.0-only */
/* libbpf-pair.h: what passes between the two halves of the libbpf benchmark. */
#ifndef NODELAND_LIBBPF_PAIR_H
#define NODELAND_LIBBPF_PAIR_H

enum {
  PAIR_PLACES = 4096,                    /* each ring holds at least so many entries, as nodeland's do */
  PAIR_QUEUED_BYTES = PAIR_PLACES * 128, /* entries are 8 bytes longer, and the size is a power of two */
  PAIR_DISPATCHED_BYTES = PAIR_PLACES * 64,
};

/* A task on its way out: the fields and the size of what scx_rustland sends. 88 bytes. */
struct pair_task {
  __s32 pid;
  __s32 cpu;
  __u32 number; /* its slot */
  __u32 nr_cpus_allowed;
  __u64 flags;
  __u64 started_ns;
  __u64 stopped_ns;
  __u64 exec_runtime_ns;
  __u64 weight;
  __u64 vtime_ns;
  __u64 enq_count;
  char comm[16];
};

/* A decision on its way back: 40 bytes. */
struct pair_decision {
  __s32 pid;
  __s32 cpu;
  __u32 number;
  __u32 flags;
  __u64 slice_ns;
  __u64 vtime_ns;
  __u64 enq_count;
};

/* Context of both programs. */
struct pair_args {
  __u32 count;      /* tasks to push */
  __u32 done;       /* out: tasks pushed, or valid decisions drained */
  __u64 elapsed_ns; /* out */
};

#endif
