/**
 * Programs of other people that tests compare us with. All come from Debian packages: `npm run peers` installs them.
 *
 * A test that needs one is skipped aloud where it is missing, and fails where `CI=true` promises that it is there:
 *
 * ```ts
 * const thinCheck = peer('thin_check');
 * test.skipIf(!thinCheck)('thin_check accepts a new pool', () => { execFileSync(thinCheck!, [image]); });
 * ```
 */

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The peers in use, and the Debian package that each comes from (the list in `scripts/peers.sh` is the same). */
const PACKAGES = {
  'thin-provisioning-tools': [
    ...['thin_check', 'thin_delta', 'thin_dump', 'thin_ls', 'thin_metadata_size', 'thin_repair', 'thin_restore'],
    ...['thin_rmap', 'thin_trim', 'cache_check', 'cache_dump', 'cache_metadata_size', 'cache_repair', 'cache_restore'],
    ...['cache_writeback', 'era_check', 'era_dump', 'era_invalidate', 'era_restore'],
  ],
  'qemu-utils': ['qemu-img', 'qemu-io', 'qemu-nbd'],
  'qemu-system-x86': ['qemu-system-x86_64'],
  'libnbd-bin': ['nbdcopy', 'nbdinfo'],
  nbdkit: ['nbdkit'],
  fio: ['fio'],
  cpio: ['cpio'],
  lz4: ['lz4'],
  openssl: ['openssl'],
  'xz-utils': ['xz'],
} as const;

/** Name of a peer program. */
export type Peer = (typeof PACKAGES)[keyof typeof PACKAGES][number];

const missing = new Set<Peer>();

/**
 * Finds a peer program.
 *
 * @returns Its path, or `undefined` when it is not installed; this is then said once on stderr.
 * @throws {Error} when it is not installed and `CI=true`.
 */
export function peer(name: Peer): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder: look in the next.
    }
  }
  const text = `${name} is not installed: \`npm run peers\` installs it`;
  if (process.env.CI === 'true') throw new Error(text);
  if (!missing.has(name)) process.stderr.write(`skipped: ${text}\n`);
  missing.add(name);
  return undefined;
}
