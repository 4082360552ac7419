/*
 * Promises about types. Nothing runs: `npm run types` compiles this against the build's declarations.
 * A line that must not compile stands below `@ts-expect-error`.
 */

import type * as library from 'persistent-data';
import type * as thin from 'persistent-data/thin';

/** Compiles only if `A` and `B` are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export const promises: true[] = [
  // biome-ignore lint/suspicious/noExplicitAny: a package whose types are missing is `any`
  true satisfies Same<typeof library, any> extends true ? false : true,
  // biome-ignore lint/suspicious/noExplicitAny: as above
  true satisfies Same<typeof thin, any> extends true ? false : true,
];
