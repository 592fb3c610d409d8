/** Tasks that need nobody else: hogs, sleepers, and those bound to one CPU. */
import { FOREVER, type Place, type Program, runUs, type Scene, sleepUs } from './scene.js';
import type { GroupOf } from './schema.js';

export function startHogs(scene: Scene): void {
  function* program(): Program {
    yield FOREVER;
  }
  for (let index = 0; index < scene.count; index++) {
    scene.spawn(scene.place(index, scene.count), program, { startNs: scene.startNs });
  }
}

export function startSleepers(scene: Scene, spec: GroupOf<'sleepers'>): void {
  startCycles(scene, spec, (place) => place);
}

export function startPinned(scene: Scene, spec: GroupOf<'pinned'>): void {
  startCycles(scene, spec, (place) => ({ ...place, allowedCpus: [place.cpu] }));
}

/** They do not begin all at once. */
function startCycles(
  scene: Scene,
  spec: GroupOf<'sleepers' | 'pinned'>,
  bound: (place: Place) => Place,
): void {
  const { random, count } = scene;
  function* program(): Program {
    for (;;) {
      yield runUs(spec.runUs * random.between(0.5, 1.5));
      yield sleepUs(random.exponential(spec.sleepUs));
    }
  }
  for (let index = 0; index < count; index++) {
    const startNs = scene.startNs + random.next() * spec.sleepUs * 1000;
    scene.spawn(bound(scene.place(index, count)), program, { startNs });
  }
}
