/** Longest name, in bytes: all characters of a name are of one byte. */
export const MAX_NAME_BYTES = 127;

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._+@:-]*$/;

/**
 * Names are what stands in URIs, shells and file names without quotes: letters, digits, and `. _ + @ : -`, beginning with a letter, a digit or `_`,
 * 1 to 127 characters.
 *
 * @throws {RangeError} when it is no such name.
 */
export function checkVolumeName(name: string): void {
  if (NAME.test(name) && name.length <= MAX_NAME_BYTES) return;
  throw new RangeError(
    `Cannot use ${JSON.stringify(name)} as the name of a volume: 1 to ${MAX_NAME_BYTES} letters, digits, or any of ` +
      '". _ + @ : -" are wanted, the first one a letter, a digit or "_"',
  );
}
