/** Reads the golden images and the records beside them. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The folder of all families. */
export const GOLDEN = import.meta.dirname;

const SUFFIX = '.bin.gz';

/** One recorded metadata device. */
export interface GoldenImage {
  /** Folder below `test/golden`: `thin`, `replay/wide`, … */
  readonly family: string;
  readonly name: string;
  /** The raw device. A new copy each time. */
  bytes(): Uint8Array;
  /** The text of the record with this ending (`check-1.1.txt`, `dump-1.1.xml`), unpacked; `undefined` when there is none. */
  record(ending: string): string | undefined;
}

/** All images of a family in order of names. The write log `log-thin` is none. */
export function goldenImages(family: string): GoldenImage[] {
  const names = readdirSync(join(GOLDEN, family)).filter((file) => file.endsWith(SUFFIX));
  return names
    .map((file) => file.slice(0, -SUFFIX.length))
    .filter((name) => !(name.startsWith('log-') && !name.endsWith('-after')))
    .sort()
    .map((name) => goldenImage(family, name));
}

/** One image by its name. */
export function goldenImage(family: string, name: string): GoldenImage {
  const path = join(GOLDEN, family, name);
  return {
    family,
    name,
    bytes: () => new Uint8Array(gunzipSync(readFileSync(path + SUFFIX))),
    record: (ending) => {
      if (existsSync(`${path}.${ending}`)) return readFileSync(`${path}.${ending}`, 'utf8');
      if (existsSync(`${path}.${ending}.gz`)) return gunzipSync(readFileSync(`${path}.${ending}.gz`)).toString('utf8');
      return undefined;
    },
  };
}
