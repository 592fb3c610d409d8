/** cgroup ids and paths. An id is the inode number of the cgroup's directory (kernel/cgroup/cgroup.c, kernfs ids). */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Between two walks. */
const WALK_MS = 1000;

/** CgroupPaths finds paths by walking the hierarchy, a few directories at a time, when ids are asked for that it does not know. */
export class CgroupPaths {
  private known = new Map<number, string>();
  private found = new Map<number, string>();
  private wanted = new Set<number>();
  /** Asked for before this walk began. */
  private due = new Set<number>();
  /** Directories to look at; empty between walks. */
  private ahead: string[] = [];
  private startedMs = -Infinity;

  constructor(private readonly root: string) {}

  /** path gives a cgroup's path, '' when a walk has not found it, or undefined and notes that it is wanted. */
  path(id: number): string | undefined {
    const path = this.known.get(id) ?? this.found.get(id);
    if (path === undefined) this.wanted.add(id);
    return path;
  }

  /** step looks at no more than so many directories. */
  step(nrDirectories: number, nowMs: number): void {
    if (this.ahead.length === 0) {
      if (this.wanted.size === 0 || nowMs - this.startedMs < WALK_MS) return;
      this.startedMs = nowMs;
      this.due = this.wanted;
      this.wanted = new Set();
      this.found = new Map();
      this.ahead = ['/'];
    }
    for (let count = 0; count < nrDirectories; count++) {
      const path = this.ahead.pop();
      if (path === undefined) break;
      this.visit(path);
    }
    if (this.ahead.length === 0) this.finish();
  }

  private visit(path: string): void {
    const directory = join(this.root, path);
    try {
      this.found.set(statSync(directory).ino, path);
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        if (entry.isDirectory()) this.ahead.push(join(path, entry.name));
      }
    } catch {
      // It was removed meanwhile.
    }
  }

  private finish(): void {
    // Ids are not used again, so what was removed is forgotten.
    this.known = this.found;
    this.found = new Map();
    for (const id of this.due) if (!this.known.has(id)) this.known.set(id, '');
    this.due = new Set();
  }
}
