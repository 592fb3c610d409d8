/** A parallel make, which ends. */
import type { SimTask } from '../../kernel/sim-task.js';
import { fork } from './forks.js';
import { type Program, runUs, type Scene, sleepUs, WAIT } from './scene.js';
import type { GroupOf } from './schema.js';

/**
 * startBuild: one make that runs `count` jobs at a time, wave after wave, for what the jobs of a wave make is needed by the
 * next; then it links. A job reads, compiles and writes. What is done is a job.
 */
export function startBuild(scene: Scene, spec: GroupOf<'build'>): void {
  const { random, kernel, count } = scene;
  const jobsPerWave = Math.max(1, Math.round(count * spec.jobsPerSlot));

  function* job(): Program {
    const beganNs = kernel.nowNs;
    yield sleepUs(random.exponential(spec.ioUs));
    // Most sources are small, and some are large.
    yield runUs(spec.compileUs * random.between(0.1, 1) + random.exponential(spec.compileUs / 2));
    yield sleepUs(random.exponential(spec.ioUs));
    scene.done(kernel.nowNs - beganNs);
  }

  function* wave(make: SimTask): Program {
    let left = jobsPerWave;
    let running = 0;
    while (left > 0 || running > 0) {
      if (left === 0 || running === count) {
        yield WAIT;
        continue;
      }
      left--;
      running++;
      fork(scene, make, { comm: 'cc', execUs: spec.forkUs, program: job, ended: () => running-- });
      yield runUs(spec.forkUs);
    }
  }

  function* make(task: SimTask): Program {
    for (let index = 0; index < spec.waves; index++) yield* wave(task);
    yield runUs(spec.linkUs);
  }
  scene.spawn(scene.place(0, 1), make, { comm: 'make', startNs: scene.startNs });
}
