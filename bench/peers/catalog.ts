/** The peers that can be fetched and built here, and where from. Any other command can be one too: `bench sandbox --peer`. */

/** PeerSource is where a peer's source comes from: Debian's linux-source package, or cargo's registry. */
export type PeerSource = 'kernel tree' | 'crate';

/** KnownPeer is one of them; `name` is that of its program, and of its crate. */
export interface KnownPeer {
  readonly name: string;
  readonly source: PeerSource;
}

const from = (source: PeerSource, ...names: readonly string[]): KnownPeer[] =>
  names.map((name) => ({ name, source }));

/** KNOWN_PEERS lists them all. */
export const KNOWN_PEERS: readonly KnownPeer[] = [
  ...from('kernel tree', 'scx_simple', 'scx_qmap', 'scx_userland'),
  ...from('crate', 'scx_rustland', 'scx_bpfland', 'scx_rusty'),
];
