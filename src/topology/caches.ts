/** Last-level caches from cpuN/cache/index*, or one per node where the kernel knows of none. */
import { join } from 'node:path';
import { type Cpu, llcId } from './ids.js';
import { numberedEntries, readCpuList, readNumber, readText } from './sysfs.js';
import type { LlcInfo, NodeInfo } from './topology.js';

interface Cache {
  readonly level: number;
  readonly cpus: readonly Cpu[];
}

/**
 * readLlcs groups the online CPUs by the highest-level data or unified cache that they share. CPUs
 * without cache files (many virtual machines, some arm64 firmware) are grouped by node.
 */
export function readLlcs(systemRoot: string, online: readonly Cpu[], nodes: readonly NodeInfo[]): LlcInfo[] {
  const left = new Set(online);
  const found: Cache[] = [];
  for (const cpu of online) {
    if (!left.has(cpu)) continue;
    const cache = lastLevelCache(join(systemRoot, 'cpu', `cpu${cpu}`, 'cache'));
    if (!cache) continue;
    // A CPU always shares with itself, whatever the file says; what an earlier cache took stays there.
    const cpus = [...new Set([cpu, ...cache.cpus])].filter((other) => left.delete(other));
    found.push({ level: cache.level, cpus: cpus.sort((a, b) => a - b) });
  }
  for (const node of nodes) {
    const cpus = node.cpus.filter((cpu) => left.has(cpu));
    if (cpus.length > 0) found.push({ level: 0, cpus });
  }
  return found
    .sort((a, b) => (a.cpus[0] ?? 0) - (b.cpus[0] ?? 0))
    .map((cache, index) => ({ llc: llcId(index), level: cache.level, cpus: cache.cpus }));
}

function lastLevelCache(cacheRoot: string): Cache | undefined {
  let best: Cache | undefined;
  for (const index of numberedEntries(cacheRoot, 'index')) {
    const folder = join(cacheRoot, `index${index}`);
    const type = readText(join(folder, 'type'));
    if (type !== 'Unified' && type !== 'Data') continue;
    const level = readNumber(join(folder, 'level'));
    const cpus = readCpuList(join(folder, 'shared_cpu_list'));
    if (level === undefined || !cpus || (best && best.level >= level)) continue;
    best = { level, cpus };
  }
  return best;
}
