/** Where `nodeland sim --plot` leaves its diagrams. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Curves, curvesSpec, loadVega } from '../../observe/plot.js';
import { EXIT, UserError } from '../errors.js';
import { writing } from './write.js';

/**
 * openPlotFolder makes the folder and resolves to what writes diagrams into it, so that whatever is in the way is known before
 * anything is simulated.
 *
 * @throws UserError when the folder cannot be made or the plotting library is not installed
 */
export async function openPlotFolder(folder: string): Promise<(all: readonly Curves[]) => Promise<void>> {
  const draw = await loadVega();
  if (draw === undefined) {
    throw new UserError(
      '--plot: the packages vega and vega-lite are not installed; npm install vega vega-lite',
      EXIT.unavailable,
    );
  }
  writing('--plot', () => mkdirSync(folder, { recursive: true }));
  return async (all) => {
    for (const curves of all) {
      const file = join(folder, `${curves.id}.svg`);
      const svg = await draw(curvesSpec(curves));
      writing('--plot', () => writeFileSync(file, svg));
      process.stderr.write(`${file}: ${curves.title}\n`);
    }
  };
}
