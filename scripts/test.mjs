#!/usr/bin/env node
// `npm test`: set-up, then every stage, then one line with the counts. `npm test -- unit eslint` runs those stages only,
// `npm test -- lint` all that are not tests. With CI=true whatever had to be skipped counts as failed.
import { buildAll } from './build.mjs';
import { exitCodes, runMain, Stop } from './run.mjs';
import { prepareMachine } from './setup.mjs';
import { stages } from './test/stages.mjs';

function selectStages(names) {
  const known = ['lint', ...stages.map((stage) => stage.name)];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Stop(`no such stage: ${unknown.join(', ')} (there are: ${known.join(', ')})`, exitCodes.usage);
  }
  const isWanted = (stage) => names.includes(stage.name) || (stage.isLint && names.includes('lint'));
  return names.length === 0 ? stages.filter((stage) => !stage.isOnRequest) : stages.filter(isWanted);
}

/** Builds, or gives the reason why not. */
async function buildFailure() {
  try {
    await buildAll({ keepLayout: true });
    return undefined;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(`nodeland: ${error.message}`);
    return error.message;
  }
}

function runStage(stage, failure) {
  if (failure !== undefined && stage.needsBuild) {
    return { passed: 0, failed: 0, skipped: [{ name: stage.name, reason: `the build failed: ${failure}` }] };
  }
  return stage.run();
}

await runMain(async () => {
  const selected = selectStages(process.argv.slice(2));
  const isCi = process.env.CI === 'true';
  prepareMachine({ mayGoWithout: true });
  const failure = await buildFailure();
  const total = { passed: 0, failed: failure === undefined ? 0 : 1, skipped: [] };

  for (const stage of selected) {
    console.log(`\n== ${stage.name}`);
    const startMs = performance.now();
    const { passed, failed, skipped } = runStage(stage, failure);
    const elapsedS = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(
      `== ${stage.name}: ${failed > 0 ? 'FAILED' : 'ok'}, ${passed} passed, ${failed} failed, ${skipped.length} skipped, ${elapsedS} s`,
    );
    total.passed += passed;
    total.failed += failed;
    total.skipped.push(...skipped);
  }

  if (total.skipped.length > 0) console.log(`\nSkipped${isCi ? ' (a failure, because CI=true)' : ''}:`);
  for (const { name, reason } of total.skipped) console.log(`  ${name}: ${reason}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`);
  const isFailed = total.failed > 0 || (isCi && total.skipped.length > 0);
  return isFailed ? exitCodes.failure : 0;
});
