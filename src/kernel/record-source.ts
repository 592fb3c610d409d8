/** Records of a loaded object, by the addon: ring buffers that are there while something is recorded (bpf/record.h). */
import type { RecordingEnd, RecordSource } from '../record/recorder.js';
import { readU64 } from '../shm/arena.js';
import { LIMIT, RECORDING_ARGS } from '../shm/layout.generated.js';
import type { NativeAddon, SessionId } from './native-addon.js';

/** Of all rings together; each has at least the least. Powers of two. */
const ALL_BYTES = 1 << 24;
const LEAST_BYTES = 1 << 20;

/** recordSource records what a session's object sees. @param nrDomains - that it has */
export function recordSource(native: NativeAddon, session: SessionId, nrDomains: number): RecordSource {
  const rings = Math.min(nrDomains, LIMIT.RECORD_RINGS);
  const ringBytes = Math.max(LEAST_BYTES, ALL_BYTES / 2 ** Math.ceil(Math.log2(rings)));
  let serial = 0;

  const setRecording = (value: number): RecordingEnd => {
    const words = new Uint32Array(RECORDING_ARGS.words);
    words[RECORDING_ARGS.word.serial] = value;
    native.runProgram(session, 'nl_set_recording', new Uint8Array(words.buffer));
    const { atNs, lost } = RECORDING_ARGS.word;
    return { atNs: readU64(words, atNs), lost: readU64(words, lost) };
  };

  return {
    begin: () => {
      native.openRecorder(session, rings, ringBytes);
      serial++;
      return setRecording(serial).atNs;
    },
    drain: (target) => native.drainRecorder(session, target),
    end: () => {
      setRecording(0);
      native.unlinkRecorder(session);
      // Callbacks that were under way have counted what they lost.
      return setRecording(0);
    },
    close: () => {
      native.closeRecorder(session);
    },
  };
}
