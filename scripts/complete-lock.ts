/**
 * Completes lock files: `tsx scripts/complete-lock.ts [LOCK FILE…]`.
 *
 * A registry mirror may lack the packages that hold a tool's binaries for other platforms. `npm install` then leaves
 * them out of the lock file, and `npm ci` refuses that file. This adds each of them, with the platform that its name
 * tells and without a checksum, so that npm knows of it and fetches it where it is wanted only.
 */

import { readFileSync, writeFileSync } from 'node:fs';

interface Entry {
  version?: string;
  optional?: boolean;
  dev?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const CPU = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];
const SYNONYMS: Record<string, string> = { aarch64: 'arm64', armv7: 'arm', windows: 'win32', glibc: 'gnu' };

/** Reads the platform from a package's name, as in `@oxc-parser/binding-linux-arm-musleabihf`. */
function platformOf(name: string): Entry {
  const words = name.split(/[-/]/).map((word) => SYNONYMS[word] ?? word);
  // `linux-aarch64-android` is Android: the last word wins.
  const os = words.findLast((word) => OS.includes(word));
  const cpu = words.find((word) => CPU.includes(word));
  if (os === undefined && cpu === undefined) throw new Error(`no platform in the name ${name}`);
  const libc = words.some((word) => word.startsWith('musl')) ? ['musl'] : undefined;
  const glibc = os === 'linux' && words.some((word) => word.startsWith('gnu')) ? ['glibc'] : undefined;
  return { ...(cpu && { cpu: [cpu] }), ...((libc ?? glibc) && { libc: libc ?? glibc! }), ...(os && { os: [os] }) };
}

/** npm writes the version first and then by the alphabet. */
function inOrder({ version, ...rest }: Entry): Entry {
  return { version, ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))) } as Entry;
}

function complete(path: string): void {
  const lock: { packages: Record<string, Entry> } = JSON.parse(readFileSync(path, 'utf8'));
  const added: string[] = [];
  for (const [place, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (`${place}/node_modules/${name}` in lock.packages || `node_modules/${name}` in lock.packages) continue;
      const version = range.replace(/^[\^~]/, '');
      const dev = entry.dev ? { dev: true } : {};
      lock.packages[`node_modules/${name}`] = inOrder({ version, ...dev, optional: true, ...platformOf(name) });
      added.push(`${name}@${version}`);
    }
  }
  if (added.length === 0) return;
  const places = Object.keys(lock.packages).sort((a, b) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries(places.map((place) => [place, lock.packages[place]!]));
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${path}: added ${added.length}: ${added.join(', ')}`);
}

const paths = process.argv.slice(2);
for (const path of paths.length > 0 ? paths : ['package-lock.json', 'test/smoke/package-lock.json']) complete(path);
