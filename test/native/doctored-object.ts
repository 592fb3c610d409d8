/** renameInObject renames an identifier in a compiled object's string tables; both names have the same length. */
export function renameInObject(object: Buffer, from: string, to: string): Buffer {
  if (from.length !== to.length) throw new RangeError(`${from} and ${to} differ in length`);
  const doctored = Buffer.from(object);
  const wanted = Buffer.from(`\0${from}\0`);
  let found = 0;
  for (let at = doctored.indexOf(wanted); at >= 0; at = doctored.indexOf(wanted, at + 1)) {
    doctored.write(to, at + 1, 'latin1');
    found++;
  }
  if (found === 0) throw new Error(`the object does not name ${from}`);
  return doctored;
}
