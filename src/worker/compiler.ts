/** What the hot path needs of V8. Flags are the whole process's, and are set as late as can be (supervisor/worker-host.ts). */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * letInline raises the compiler's limit of how much one function may take in (920 bytes of bytecode), for the whole
 * process and for what is compiled from now on. A batch with its policy is some 2000 bytes: with the default limit, whatever
 * comes last, which is the writing of decisions, is called once per task instead (docs/decisions/hot-path.md).
 */
export function letInline(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=5000');
}

/** collect collects this thread's garbage, all of it. The function that does is in contexts made after the flag was set. */
export function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
