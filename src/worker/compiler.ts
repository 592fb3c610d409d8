/** Settings of V8's compiler that the hot path counts on. */
import { setFlagsFromString } from 'node:v8';

/**
 * letInline raises the compiler's limit of how much one function may take in (920 bytes of bytecode), for the whole
 * process and for what is compiled from now on. A batch with its policy is some 2000 bytes: with the default limit, whatever
 * comes last, which is the writing of decisions, is called once per task instead (docs/decisions/hot-path.md).
 */
export function letInline(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=5000');
}
