/** The machine that is simulated: CPUs in last-level caches in nodes in sockets, and how long a cache line takes between two. */

/** MachineShape is a machine's form. Sockets are the corners of a cube of as many dimensions as they need. */
export interface MachineShape {
  readonly cpus: number;
  readonly cpusPerLlc: number;
  readonly cpusPerNode: number;
  readonly nodesPerSocket: number;
}

/** LineCosts is how long a modified cache line takes from one CPU to another, one way, in ns, by what is between them. */
export interface LineCosts {
  readonly sameLlc: number;
  readonly sameSocket: number;
  readonly nextSocket: number;
  /** For each socket to pass beyond the next. */
  readonly perFurtherSocket: number;
}

/**
 * EPYC_7R13 is two sockets of AMD's third EPYC: 23 ns within an L3, 107 ns between two of a socket, 197 ns between sockets,
 * medians of compare-and-swap messages. Source: N. Viennot, core-to-core-latency (github.com/nviennot/core-to-core-latency,
 * README, "AMD EPYC 7R13, 48 Cores, Milan", single and dual socket). No measurement of more sockets is in it: that each
 * further one adds what the first does, 197 - 107 = 90 ns, is an assumption.
 */
export const EPYC_7R13: LineCosts = { sameLlc: 23, sameSocket: 107, nextSocket: 197, perFurtherSocket: 90 };

/** LARGE is the shape at 1,024 CPUs: 64 caches of 16 CPUs, 32 nodes of 32, 8 sockets of 128. */
export const LARGE: MachineShape = { cpus: 1024, cpusPerLlc: 16, cpusPerNode: 32, nodesPerSocket: 4 };

/** Machine tells distances. Pure. */
export class Machine {
  private readonly cpusPerSocket: number;

  constructor(
    readonly shape: MachineShape,
    private readonly lines: LineCosts,
  ) {
    this.cpusPerSocket = shape.cpusPerNode * shape.nodesPerSocket;
  }

  /** transferNs is how long a line takes from one CPU to another. 0 to itself. */
  transferNs(from: number, to: number): number {
    if (from === to) return 0;
    const { cpusPerLlc } = this.shape;
    if (Math.floor(from / cpusPerLlc) === Math.floor(to / cpusPerLlc)) return this.lines.sameLlc;
    const hops = bitsOf(Math.floor(from / this.cpusPerSocket) ^ Math.floor(to / this.cpusPerSocket));
    if (hops === 0) return this.lines.sameSocket;
    return this.lines.nextSocket + (hops - 1) * this.lines.perFurtherSocket;
  }
}

/** Sockets are numbered so that neighbours differ in one bit. */
function bitsOf(value: number): number {
  let bits = 0;
  for (let left = value; left > 0; left >>>= 1) bits += left & 1;
  return bits;
}
