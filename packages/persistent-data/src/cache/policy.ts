/** A policy as metadata names it: whose hints these are. */
export interface CachePolicy {
  /** Up to 15 printable ASCII characters; empty before the first orderly end. */
  readonly name: string;
  /** Major, minor, patch level. */
  readonly version: readonly [number, number, number];
  /** Bytes of a hint: 4, or 0 for a policy that has none. */
  readonly hintSize: number;
}

/** What the kernel's default policy stores. */
export const SMQ_POLICY: CachePolicy = { name: 'smq', version: [2, 0, 0], hintSize: 4 };

/** What metadata says before any policy has stored hints. */
export const NO_POLICY: CachePolicy = { name: '', version: [0, 0, 0], hintSize: 0 };

/** The policies of the kernel. `mq` and `default` are names of smq. */
export const KNOWN_POLICIES: readonly string[] = ['smq', 'mq', 'default', 'cleaner'];

/** Room for the name in a superblock, without the byte that ends it. */
const MAX_NAME = 15;

/** Why a text cannot be a policy's name in a superblock; `undefined` when it can. */
export function policyNameProblem(name: string): string | undefined {
  if (name.length > MAX_NAME) return `it has ${name.length} characters, at most ${MAX_NAME} are wanted`;
  return /^[!-~]*$/.test(name) ? undefined : 'printable ASCII characters without blanks are wanted';
}

/** Why hints of a size cannot be used; `undefined` when they can. */
export function hintSizeProblem(size: number): string | undefined {
  return size === 4 || size === 0 ? undefined : `found ${size} bytes, 4 are wanted, or 0 for a policy without hints`;
}

/** Whether hints that `stored` left are of use to `loaded`: the same policy, of the same major version, with hints as wide. */
export function sharesHints(stored: CachePolicy, loaded: CachePolicy): boolean {
  return stored.name === loaded.name && stored.version[0] === loaded.version[0] && stored.hintSize === loaded.hintSize;
}
