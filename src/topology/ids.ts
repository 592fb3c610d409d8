/**
 * The numbers of a machine, each with its own type so that a CPU cannot be passed where a node is meant.
 * They are plain numbers at run time; `cpu(3)` and the like cost nothing after inlining.
 */
declare const unit: unique symbol;

type Numbered<Name extends string> = number & { readonly [unit]: Name };

/** Cpu is a CPU number as the kernel counts them: 0 to {@link MAX_CPUS} - 1, with gaps where CPUs are offline. */
export type Cpu = Numbered<'Cpu'>;
/** NodeId is a NUMA node number as the kernel counts them; gaps are normal (POWER starts further nodes at 8 or 250). */
export type NodeId = Numbered<'NodeId'>;
/** LlcId counts last-level caches densely from 0, by the lowest CPU of each; the kernel has no such number. */
export type LlcId = Numbered<'LlcId'>;
/** CoreId counts cores densely from 0, by the lowest CPU of each; the kernel's core_id repeats between packages. */
export type CoreId = Numbered<'CoreId'>;
/** DomainId counts scheduling domains densely from 0 to {@link MAX_DOMAINS} - 1. */
export type DomainId = Numbered<'DomainId'>;

/** The BPF side's tables are sized for these; bpf/abi.h holds the same figures. */
export const MAX_CPUS = 1024;
export const MAX_DOMAINS = 64;

/** cpu names a number a CPU. The caller knows that it is one; nothing is checked. */
export const cpu = (value: number): Cpu => value as Cpu;
/** nodeId names a number a NUMA node. */
export const nodeId = (value: number): NodeId => value as NodeId;
/** llcId names a number a last-level cache. */
export const llcId = (value: number): LlcId => value as LlcId;
/** coreId names a number a core. */
export const coreId = (value: number): CoreId => value as CoreId;
/** domainId names a number a domain. */
export const domainId = (value: number): DomainId => value as DomainId;
