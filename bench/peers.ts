/**
 * `npm run bench -- peers`: fetches and builds schedulers to compare with, into the cache folder. `bench sandbox --peers` takes
 * all that are there; what cannot be had is named with its reason by both.
 */
import { availableParallelism } from 'node:os';
import { Argument, Command } from 'commander';
import { wholeNumber } from '../src/cli/whole-number.js';
import { KNOWN_PEERS, type PeerSource } from './peers/catalog.js';
import { buildCrate } from './peers/crates.js';
import { buildFromKernelTree } from './peers/kernel-tree.js';
import { keepReasons, missingPeers, presentPeers } from './peers/store.js';
import type { BuildLimits } from './peers/tool.js';

interface Options extends BuildLimits {
  readonly again?: boolean;
  readonly list?: boolean;
}

/** peersCommand is the command. */
export function peersCommand(): Command {
  const names = KNOWN_PEERS.map(({ name }) => name);
  return new Command('peers')
    .description('fetches and builds other sched_ext schedulers into the cache folder')
    .addArgument(new Argument('[names...]', 'which; all that are missing if none is named').choices(names))
    .option('--list', 'only say which are there')
    .option('--again', 'build also what is there')
    .option(
      '--jobs <n>',
      'compilers at a time (one for each CPU)',
      wholeNumber(1, 1024),
      availableParallelism(),
    )
    .option('--minutes <n>', 'time for each (30)', wholeNumber(1, 1000), 30)
    .action(async (wanted: string[], options: Options) => {
      if (options.list !== true) await build(wanted, options);
      for (const { name } of presentPeers()) process.stdout.write(`present: ${name}\n`);
      for (const { name, why } of missingPeers()) process.stdout.write(`missing: ${name}: ${why}\n`);
    });
}

async function build(wanted: readonly string[], { again, jobs, minutes }: Options): Promise<void> {
  const present = presentPeers().map(({ name }) => name);
  const chosen = KNOWN_PEERS.filter(
    ({ name }) =>
      (wanted.length === 0 || wanted.includes(name)) && (again === true || !present.includes(name)),
  );
  const of = (source: PeerSource): string[] =>
    chosen.filter((peer) => peer.source === source).map(({ name }) => name);
  const [examples, crates] = [of('kernel tree'), of('crate')];
  if (examples.length > 0) keepReasons(await buildFromKernelTree(examples, { jobs, minutes }));
  // Each as it is known: the next may take half an hour, and be interrupted.
  for (const name of crates) keepReasons(await buildCrate(name, { jobs, minutes }));
}
