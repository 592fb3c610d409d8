/** How policies are named: a built-in by its name, a module by its path. */

const EXTENSION = /\.m?[jt]s$/;

/** isModulePath tells a module's path from a built-in policy's name: it has a slash, or ends in .ts, .mts, .js or .mjs. */
export function isModulePath(name: string): boolean {
  return name.includes('/') || EXTENSION.test(name);
}
