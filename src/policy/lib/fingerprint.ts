/**
 * fingerprint is a number that is the same for the same settings in every domain, and never 0 (FNV-1a over their JSON). A
 * policy stores it beside what it made of a task by these settings, and knows thereby what is out of date.
 */
export function fingerprint(settings: unknown): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(JSON.stringify(settings))) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash | 1) >>> 0;
}
