// Inside the machine: starts `nodeland run`, puts load under it, stops it, and writes down what happened, one JSON line
// for each run on stdout. The tests outside read these lines (test/sandbox/guest.ts) and judge.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The command line of this checkout. */
export const nodeland = [
  process.execPath,
  fileURLToPath(new URL('../../../lib/src/cli/main.js', import.meta.url)),
];
export const guestFile = (name) => fileURLToPath(new URL(name, import.meta.url));

/** How long each step may take; slow machines extend them. */
const limitMs = { attach: 180_000, stop: 60_000, load: 120_000 };
export function extend(factor) {
  for (const step of Object.keys(limitMs)) limitMs[step] *= factor;
}

/** Short loads: messages, CPU hogs, timers. */
export const hackbench = ['hackbench', '-g', '1', '-l', '50'];
export const stressNg = ['stress-ng', '--cpu', '8', '--cpu-method', 'loop', '-t', '2', '--quiet'];
export const cyclictest = ['cyclictest', '-q', '-t', '2', '-i', '2000', '-D', '2'];

export const schedExt = (name) => readFileSync(`/sys/kernel/sched_ext/${name}`, 'utf8').trim();
export const compaction = () => readFileSync('/proc/sys/vm/compact_unevictable_allowed', 'utf8').trim();

/** Whether the task is in the sched_ext class now, by the kernel's own word. */
export function isExt(pid) {
  const line = /^ext\.enabled\s*:\s*(\d)/m.exec(readFileSync(`/proc/${pid}/sched`, 'utf8'));
  return line === null ? undefined : line[1] === '1';
}

/** Prints one record for the test outside. */
export function tell(name, record) {
  process.stdout.write(`${JSON.stringify({ name, ...record })}\n`);
}

/** Runs a program to its end, or kills it after its time: exitCode is then null. */
export async function runProgram([command, ...args], timeMs = limitMs.load) {
  const startMs = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (text.stdout += chunk));
  child.stderr.on('data', (chunk) => (text.stderr += chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeMs);
  const exitCode = await exitOf(child);
  clearTimeout(timer);
  return { command, exitCode, seconds: (performance.now() - startMs) / 1000, ...text };
}

const exitOf = (child) =>
  new Promise((resolve) => {
    child.on('error', (error) => resolve(error.code));
    child.on('close', (code) => resolve(code));
  });

/** A process's threads, by proc(5): fields 14, 15 and 39 of stat are ticks in user and system mode, and the CPU it ran on last. */
export function threadsOf(pid) {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).map((tid) => {
    const stat = readFileSync(`${folder}/${tid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      tid,
      comm: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
      ticks: Number(fields[11]) + Number(fields[12]),
      cpu: Number(fields[36]),
    };
  });
}

/** A running `nodeland run`. */
export class Scheduler {
  stdout = '';
  logs = [];
  /** What it wrote on stderr that is not its log: errors, dumps. */
  stray = '';
  placements = [];

  constructor(args) {
    this.args = args;
    this.begunMs = performance.now();
    this.child = spawn(nodeland[0], [nodeland[1], 'run', '-v', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.ended = exitOf(this.child).then((exitCode) => (this.exitCode = exitCode));
    this.child.stdout.on('data', (chunk) => (this.stdout += chunk));
    let rest = '';
    this.child.stderr.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) this.take(line);
    });
  }

  take(line) {
    try {
      this.logs.push(JSON.parse(line));
    } catch {
      this.stray += `${line}\n`;
    }
  }

  log(beginning) {
    return this.logs.find(({ msg }) => msg.startsWith(beginning));
  }

  /** Resolves to whether the condition came true in time, and while the process lived. */
  async until(condition, timeMs) {
    const endMs = performance.now() + timeMs;
    while (!condition()) {
      if (this.exitCode !== undefined || performance.now() > endMs) return false;
      await sleep(50);
    }
    return true;
  }

  async attached() {
    this.isAttached = await this.until(() => this.log('attached') !== undefined, limitMs.attach);
    this.attachedMs = performance.now() - this.begunMs;
    return this.isAttached;
  }

  /** Where the workers' threads are now. */
  placement() {
    for (const { tid, comm, cpu } of threadsOf(this.child.pid)) {
      if (!comm.startsWith('nl-')) continue;
      const status = readFileSync(`/proc/${this.child.pid}/task/${tid}/status`, 'utf8');
      this.placements.push({ comm, cpu, allowed: /^Cpus_allowed_list:\s*(.*)$/m.exec(status)[1] });
    }
  }

  /** Runs the programs of each group side by side, group after group, and looks where the workers are meanwhile. */
  async load(...groups) {
    this.loads = [];
    for (const group of groups) {
      const done = Promise.all(group.map((program) => runProgram(program)));
      let isOver = false;
      done.finally(() => (isOver = true));
      while (!isOver && this.exitCode === undefined) {
        this.placement();
        await Promise.race([done, sleep(300)]);
      }
      this.loads.push(...(await done));
    }
  }

  /** Stops it with a signal; with null it only waits for its end. */
  async stop(signal) {
    if (signal !== null) this.child.kill(signal);
    const timer = setTimeout(() => {
      this.hung = true;
      this.child.kill('SIGKILL');
    }, limitMs.stop);
    await this.ended;
    clearTimeout(timer);
  }

  /** All that the tests want to know. */
  record() {
    const of = (log) => ({ msg: log.msg, level: log.level });
    return {
      args: this.args,
      isAttached: this.isAttached === true,
      attachedMs: this.attachedMs,
      startMs: this.log('attached')?.startMs,
      exitCode: this.exitCode,
      hung: this.hung === true,
      plan: this.log('plan')?.domains ?? [],
      exitReason: this.logs.find(({ exit, reason }) => exit ?? reason)?.exit ?? null,
      counters: this.logs
        .filter(({ counters }) => counters)
        .map(({ counters, worker }) => ({ ...counters, worker })),
      problems: this.logs.filter(({ level }) => level >= 40).map(of),
      placements: this.placements,
      loads: (this.loads ?? []).map(({ command, exitCode, seconds, stderr }) => ({
        command,
        exitCode,
        seconds,
        stderr,
      })),
      summary: this.stdout,
      stray: this.stray.slice(-4000),
    };
  }
}

/**
 * One whole run: attach, look at the kernel, load, stop with the signal, look again. `during` is called while it is
 * attached, after the load, and what it returns is added to the record.
 */
export async function scheduleUnder(name, { args, groups = [[hackbench]], signal = 'SIGTERM', during }) {
  const before = compaction();
  const scheduler = new Scheduler(args);
  let more = {};
  if (await scheduler.attached()) {
    more = {
      stateDuring: schedExt('state'),
      switchAll: schedExt('switch_all'),
      compactionDuring: compaction(),
    };
    await scheduler.load(...groups);
    more = { ...more, ...(await during?.(scheduler)) };
  }
  await scheduler.stop(signal);
  tell(name, {
    ...scheduler.record(),
    ...more,
    stateAfter: schedExt('state'),
    compactionBefore: before,
    compactionAfter: compaction(),
  });
}
