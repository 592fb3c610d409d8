/** Processes that fork others and wait for them. */
import type { SimTask } from '../../kernel/sim-task.js';
import { type Program, runUs, type Scene, sleepUs, WAIT } from './scene.js';
import type { GroupOf } from './schema.js';

/** What a parent does for each child, to begin it or to take note of its end. */
const PARENT_US = 20;

/** ForkOptions is what becomes of a child. */
export interface ForkOptions {
  /** Until it executes a program of this name, it has its parent's. */
  readonly comm: string;
  readonly execUs: number;
  readonly program: (task: SimTask) => Program;
  /** It ends; its parent is woken. */
  readonly ended: () => void;
}

/** fork starts a child where its parent is, with its parent's CPUs. */
export function fork(scene: Scene, parent: SimTask, { comm, execUs, program, ended }: ForkOptions): void {
  function* child(task: SimTask): Program {
    yield runUs(execUs);
    task.setComm(comm);
    yield* program(task);
    ended();
    scene.kernel.wakeUp(parent);
  }
  const { allowedCpus } = parent.behaviour;
  const place = { cpu: parent.word('cpu'), domain: parent.domain };
  scene.spawn(allowedCpus === undefined ? place : { ...place, allowedCpus }, child, { comm: parent.name });
}

/** startForks: each tree is grown, waited for, and after a pause grown again. What is done is a tree. */
export function startForks(scene: Scene, spec: GroupOf<'forks'>): void {
  const { random, kernel } = scene;

  function* family(parent: SimTask, depth: number): Program {
    let left = spec.children;
    for (let index = 0; index < spec.children; index++) {
      fork(scene, parent, {
        comm: `depth${depth}`,
        execUs: spec.execUs,
        program: (task) => node(task, depth),
        ended: () => left--,
      });
      yield runUs(PARENT_US);
    }
    while (left > 0) yield WAIT;
    yield runUs(PARENT_US);
  }

  function* node(task: SimTask, depth: number): Program {
    yield runUs(random.exponential(spec.runUs));
    if (depth < spec.depth) yield* family(task, depth + 1);
  }

  function* root(task: SimTask): Program {
    for (;;) {
      const beganNs = kernel.nowNs;
      yield* family(task, 1);
      scene.done(kernel.nowNs - beganNs);
      if (spec.pauseUs > 0) yield sleepUs(random.exponential(spec.pauseUs));
    }
  }
  for (let index = 0; index < scene.count; index++) {
    scene.spawn(scene.place(index, scene.count), root, { startNs: scene.startNs });
  }
}
