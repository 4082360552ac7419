import { join } from 'node:path';

/** What the commands that compare stores take, after their name. */
export interface Options {
  /** Entries, where they were asked for. */
  readonly n: number | undefined;
  /** Repetitions: processes per store. */
  readonly rounds: number;
  /** Small and once: to see that everything works. */
  readonly quick: boolean;
  /** A line of JSON for each workload instead of a table. */
  readonly json: boolean;
  readonly peers: readonly string[];
  /** Workloads; all without. */
  readonly only: readonly string[] | undefined;
  /** Where the stores are made: what disk this is decides about all commits. */
  readonly dir: string;
  readonly cacheBytes: number | undefined;
}

const USAGE = `usage: npm run bench -- kv|commit|snapshots|checksum|growth [OPTION...]
  --n N            entries (1e6; snapshots 1e7; growth 1e6,1e7,1e8)
  --rounds N       processes for each store (5)
  --quick          20,000 entries, one round
  --json           one line of JSON for each workload
  --peers A,B      of lmdb lmdb-map sqlite sqlite-int sqlite-wr level (lmdb,sqlite,sqlite-int,level), or none
  --only W,X       these workloads alone
  --cache MIB      cache of all that have one (256; 1024 from 4 million entries on)
  --dir PATH       where the stores are made (.cache/bench)`;

/** Reads the command line. Says what is possible and ends when it is not understood. */
export function parseOptions(argv: readonly string[]): Options {
  const rest = [...argv];
  const values = new Map<string, string>();
  while (rest.length > 0) {
    const word = rest.shift()!;
    if (word === '--quick' || word === '--json') values.set(word, '');
    else if (['--n', '--rounds', '--peers', '--only', '--cache', '--dir'].includes(word) && rest.length > 0) {
      values.set(word, rest.shift()!);
    } else {
      console.error(`${word === '--help' ? '' : `unknown argument ${word}\n`}${USAGE}`);
      process.exit(2);
    }
  }
  const number = (name: string): number | undefined => {
    const text = values.get(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (Number.isInteger(value) && value > 0) return value;
    console.error(`${name} is ${text}, a whole number is wanted\n${USAGE}`);
    process.exit(2);
  };
  const cache = number('--cache');
  const peers = values.get('--peers') ?? 'lmdb,sqlite,sqlite-int,level';
  return {
    n: number('--n'),
    rounds: number('--rounds') ?? (values.has('--quick') ? 1 : 5),
    quick: values.has('--quick'),
    json: values.has('--json'),
    peers: peers === 'none' ? [] : peers.split(','),
    only: values.get('--only')?.split(','),
    dir: values.get('--dir') ?? join(import.meta.dirname, '../../.cache/bench/kv'),
    cacheBytes: cache === undefined ? undefined : cache * 2 ** 20,
  };
}
