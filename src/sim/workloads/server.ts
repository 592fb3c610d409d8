/** Servers whose requests arrive by chance, whether or not they are served in time (an open loop). */
import type { SimTask } from '../../kernel/sim-task.js';
import { type Program, runUs, type Scene, WAIT } from './scene.js';
import type { GroupOf } from './schema.js';

/** startServers: requests queue at their server and wake one of its idle workers. What is done is a request. */
export function startServers(scene: Scene, spec: GroupOf<'server'>): void {
  const { count, cpus } = scene;
  const perS = spec.requestsPerS ?? (spec.load * cpus.length * 1e6) / spec.serviceUs;
  const intervalNs = (1e9 * count) / perS;
  for (let index = 0; index < count; index++) startServer(scene, spec, index, intervalNs);
}

function startServer(scene: Scene, spec: GroupOf<'server'>, index: number, intervalNs: number): void {
  const { kernel, random, count, startNs } = scene;
  const arrivedNs: number[] = [];
  const idle: SimTask[] = [];

  function* worker(task: SimTask): Program {
    for (;;) {
      const requestNs = arrivedNs.shift();
      if (requestNs === undefined) {
        if (!idle.includes(task)) idle.push(task);
        yield WAIT;
        continue;
      }
      yield runUs(random.exponential(spec.serviceUs));
      scene.done(kernel.nowNs - requestNs);
    }
  }
  const arrive = (): void => {
    arrivedNs.push(kernel.nowNs);
    const next = idle.shift();
    if (next !== undefined) kernel.wakeUp(next);
    kernel.at(kernel.nowNs + random.exponential(intervalNs), arrive);
  };
  const place = scene.place(index, count);
  for (let each = 0; each < spec.workers; each++) scene.spawn(place, worker, { startNs });
  kernel.at(startNs + random.exponential(intervalNs), arrive);
}
