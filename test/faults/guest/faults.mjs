// Inside the machine: canaries beside a load, faults injected one after another while `nodeland run` is attached, and a
// record of every window between two marks. The tests outside (test/faults/machine.ts) judge.
import { execFileSync, spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { schedExt, scheduleUnder, tell } from '../../sandbox/guest/scheduler.mjs';

const guestFile = (name) => fileURLToPath(new URL(name, import.meta.url));
export const guestModule = (name) => guestFile(`${name}.mjs`);
export const policyFile = (name) => guestFile(`policies/${name}.mjs`);
export const testProgram = (name) => guestFile(`../../../build/test/${name}`);

/** The CPUs of the machine's two nodes. */
export const NODES = ['0,1', '2,3'];
/** Every wake-up passes the worker: the hardest case. */
export const ASK_ALL = ['--ask', 'always', '--no-fast-path'];
/** Time for a domain to be as it was, after a fault. */
const SETTLE_MS = 300;

/** Every CPU has something else to do, always. */
const HOGS = ['stress-ng', '--cpu', '6', '--cpu-method', 'loop', '--quiet'];

/** The canary program at work (test/faults/canary.c). */
class Canaries {
  constructor(domains = NODES) {
    this.child = spawn(testProgram('canary'), domains, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async mark(name) {
    this.child.stdin.write(`mark ${name}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error('the canaries are gone');
    return JSON.parse(value);
  }

  pin() {
    this.child.stdin.write('pin\n');
  }

  quit() {
    this.child.stdin.end('quit\n');
  }
}

/** Tells a domain's policy (policies/obedient.mjs) what to do next. */
export function order(domain, command) {
  writeFileSync(`/tmp/fault-${domain}.new`, JSON.stringify(command));
  renameSync(`/tmp/fault-${domain}.new`, `/tmp/fault-${domain}`);
}

/** One attached run with its canaries and its load. */
export class Experiment {
  windows = [];

  constructor(scheduler, canaries) {
    this.scheduler = scheduler;
    this.canaries = canaries;
  }

  /**
   * One window: what happens to the canaries from the injection of a fault until it is over. `inject` may return an object,
   * which is kept with the window.
   */
  async window(fault, inject, { settleMs = SETTLE_MS } = {}) {
    process.stderr.write(`${fault}\n`);
    const logsBefore = this.scheduler.logs.length;
    const startedAt = Date.now();
    await this.canaries.mark('before');
    const more = (await inject()) ?? {};
    await sleep(settleMs);
    const { seconds, canaries } = await this.canaries.mark(fault);
    this.windows.push({
      fault,
      seconds,
      canaries,
      state: schedExt('state'),
      messages: this.scheduler.logs
        .slice(logsBefore)
        .map(({ level, msg, time }) => ({ level, msg, atS: (time - startedAt) / 1000 })),
      ...more,
    });
  }

  /** Resolves to how long it took until it was true, in seconds; null when it did not come true. */
  async secondsUntil(condition, timeMs) {
    const startMs = performance.now();
    const isTrue = await this.scheduler.until(condition, timeMs);
    return isTrue ? (performance.now() - startMs) / 1000 : null;
  }

  /** Resolves to whether a line of the log written from now on begins or contains this. */
  said(text, timeMs) {
    const { logs } = this.scheduler;
    const from = logs.length;
    return this.scheduler.until(() => logs.slice(from).some(({ msg }) => msg.includes(text)), timeMs);
  }
}

/** What the kernel said that it should not have. */
export const kernelComplaints = () =>
  readKernelLog().filter((line) =>
    /WARNING:|BUG:|Oops|\bstall|hung task|lockup|sched_ext:.*(runnable task|error|failed)/.test(line),
  );

const readKernelLog = () => execFileSync('dmesg', { encoding: 'utf8' }).split('\n');

/** Runs `nodeland run` with canaries and load; `inject` gets the experiment. */
export async function faultsUnder(
  name,
  { args, inject, load = [HOGS], signal = 'SIGTERM', domains = NODES },
) {
  await scheduleUnder(name, {
    args,
    groups: [],
    signal,
    during: async (scheduler) => {
      const loads = load.map(([command, ...rest]) => spawn(command, rest, { stdio: 'ignore' }));
      const canaries = new Canaries(domains);
      const experiment = new Experiment(scheduler, canaries);
      await sleep(1000);
      let failure;
      try {
        await inject(experiment);
      } catch (error) {
        failure = String(error.stack);
      }
      canaries.quit();
      loads.forEach((child) => child.kill('SIGTERM'));
      const [began, attached] = ['plan', 'attached'].map((text) => scheduler.log(text).time);
      return { windows: experiment.windows, failure, attachedAfterS: (attached - began) / 1000 };
    },
  });
}

/** Last in every script. */
export function tellKernelLog() {
  tell('kernel log', { complaints: kernelComplaints() });
}
