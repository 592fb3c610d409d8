/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * record.h: where records of `nodeland record` go, in both objects.
 *
 * While nothing is recorded there are no ring buffers, and `recording.serial` is 0: a callback loads it and goes on.
 * The main thread makes the rings, puts them into the map, sets `recording.serial`; at the end it sets it to 0 and
 * takes them out, which returns when no program can have one in its hands any more. A record that finds its ring full
 * is lost, and counted.
 */
#ifndef NODELAND_RECORD_H
#define NODELAND_RECORD_H

#include "common.h"

struct record_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* Domains share them: many CPUs on one ring would wait for its lock. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, NL_RECORD_RINGS);
	__type(key, u32);
	__array(values, struct record_ring);
} records SEC(".maps");

/* A line of its own: all CPUs read it, and a neighbour that is written would make each reading a miss. */
struct {
	u32 serial; /* which recording is under way, 0: none */
	u32 reserved[31];
} recording __attribute__((aligned(128)));
u64 records_lost;

/* The main thread looks for records by itself: nobody is to be woken from here. */
static __always_inline void record_put(struct nl_record *record)
{
	u32 key = domain_of_cpu(bpf_get_smp_processor_id()) % NL_RECORD_RINGS;
	void *ring = bpf_map_lookup_elem(&records, &key);

	if (ring && bpf_ringbuf_output(ring, record, sizeof(*record), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&records_lost, 1);
}

SEC("syscall")
int nl_set_recording(struct nl_recording_args *args)
{
	if (args->serial)
		records_lost = 0;
	args->at_ns = bpf_ktime_get_ns() - epoch_ns;
	args->lost = records_lost;
	WRITE_ONCE(recording.serial, args->serial);
	return 0;
}

#endif
