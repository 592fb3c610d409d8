/** Chains of tasks with pipes between them. */
import type { SimStep, SimTask } from '../../kernel/sim-task.js';
import { type Program, runUs, type Scene, sleepUs, WAIT } from './scene.js';
import type { GroupOf } from './schema.js';

/** Pipe holds items, each the time at which its journey began; one task writes and one reads. */
class Pipe {
  private readonly items: number[] = [];
  private reader: SimTask | undefined;
  private writer: SimTask | undefined;

  constructor(
    private readonly wakeUp: (task: SimTask) => void,
    private readonly capacity: number,
  ) {}

  *write(task: SimTask, beganNs: number): Program {
    this.writer = task;
    while (this.items.length >= this.capacity) yield WAIT;
    this.items.push(beganNs);
    if (this.items.length === 1 && this.reader !== undefined) this.wakeUp(this.reader);
  }

  *read(task: SimTask): Generator<SimStep, number, void> {
    this.reader = task;
    for (;;) {
      const item = this.items.shift();
      if (item === undefined) {
        yield WAIT;
        continue;
      }
      if (this.items.length === this.capacity - 1 && this.writer !== undefined) this.wakeUp(this.writer);
      return item;
    }
  }
}

/** startPipelines: the first task of each makes items, the others take them on. What is done is an item at its end. */
export function startPipelines(scene: Scene, spec: GroupOf<'pipeline'>): void {
  const { kernel, random, count } = scene;
  const workUs = (): number => spec.runUs * random.between(0.5, 1.5);

  function* source(task: SimTask, out: Pipe): Program {
    for (;;) {
      const beganNs = kernel.nowNs;
      yield runUs(workUs());
      yield* out.write(task, beganNs);
      if (spec.pauseUs > 0) yield sleepUs(random.exponential(spec.pauseUs));
    }
  }
  function* stage(task: SimTask, from: Pipe, out: Pipe | undefined): Program {
    for (;;) {
      const beganNs = yield* from.read(task);
      yield runUs(workUs());
      if (out === undefined) scene.done(kernel.nowNs - beganNs);
      else yield* out.write(task, beganNs);
    }
  }

  for (let index = 0; index < count; index++) {
    const place = scene.place(index, count);
    const options = { startNs: scene.startNs };
    const pipes = Array.from(
      { length: spec.stages - 1 },
      () => new Pipe((task) => kernel.wakeUp(task), spec.capacity),
    );
    scene.spawn(place, (task) => source(task, pipes[0]), options);
    pipes.forEach((from, at) => {
      scene.spawn(place, (task) => stage(task, from, pipes.at(at + 1)), options);
    });
  }
}
