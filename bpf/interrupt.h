/* SPDX-License-Identifier: GPL-2.0-only */
/* interrupt.h: whether this code runs for the current task, or for an interrupt that came while it ran. */
#ifndef NODELAND_INTERRUPT_H
#define NODELAND_INTERRUPT_H

#include "common.h"

/*
 * Of the kernel's preempt_count (linux/preempt.h): serving a softirq; and all above the softirq byte, where hardirqs
 * and NMIs are counted, at other bits in 7.3 than in 6.18. The highest bit says on x86 that nothing needs to be
 * rescheduled.
 */
#define COUNT_INTERRUPTS 0x7fff0100

#if defined(__TARGET_ARCH_x86)
/* A variable of its own from 6.15 on, in pcpu_hot before. */
extern const int __preempt_count __ksym __weak;

struct pcpu_hot___before {
	int preempt_count;
} __attribute__((preserve_access_index));
extern struct pcpu_hot___before pcpu_hot __ksym __weak;

static __always_inline int preempt_count(void)
{
	if (bpf_ksym_exists(&__preempt_count))
		return *(int *)bpf_this_cpu_ptr(&__preempt_count);
	if (bpf_core_field_exists(pcpu_hot.preempt_count))
		return ((struct pcpu_hot___before *)bpf_this_cpu_ptr(&pcpu_hot))->preempt_count;
	return 0;
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline int preempt_count(void)
{
	return bpf_get_current_task_btf()->thread_info.preempt.count;
}
#else
static __always_inline int preempt_count(void)
{
	return 0;
}
#endif

static __always_inline bool in_interrupt(void)
{
	return preempt_count() & COUNT_INTERRUPTS;
}

#endif
