/*
 * What has to work on every runtime, against the built library: `npm run smoke` runs this on Node, Bun and Deno.
 * No test library here: a failed check throws.
 */

import * as library from 'persistent-data';
import * as thin from 'persistent-data/thin';

const runtime = globalThis.Deno
  ? `deno ${Deno.version.deno}`
  : process.versions.bun
    ? `bun ${process.versions.bun}`
    : `node ${process.versions.node}`;

/** Named checks; each throws when it fails. */
const checks = {
  'the library loads': () => {
    if (typeof library !== 'object' || typeof thin !== 'object') throw new Error('no modules');
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`${runtime}: ${name}: ok`);
}
