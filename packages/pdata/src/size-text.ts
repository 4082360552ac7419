/** Sizes as the tools print and take them. */

import { UsageError } from './usage-error.ts';

/** As version 1.x spells them. */
const PRETTY_UNITS = ['b', 'KiB', 'MiB', 'GiB', 'Tib', 'PiB', 'EiB'] as const;
/** A larger number goes to the next unit. */
const PRETTY_MAX = 8192;

/** A size for people, as `thin_ls` rounds it: below 1024 to the nearest, above down. */
export function prettyBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.floor(value) > PRETTY_MAX && unit < PRETTY_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 1024 ? Math.round(value) : Math.floor(value)}${PRETTY_UNITS[unit]}`;
}

const UNITS: Readonly<Record<string, { readonly bytes: number; readonly name: string }>> = {
  b: { bytes: 1, name: 'bytes' },
  s: { bytes: 512, name: 'sectors' },
  k: { bytes: 2 ** 10, name: 'kibibytes' },
  m: { bytes: 2 ** 20, name: 'mebibytes' },
  g: { bytes: 2 ** 30, name: 'gibibytes' },
  // Version 1.x calls 2^40 bytes so.
  t: { bytes: 2 ** 40, name: 'terabytes' },
  p: { bytes: 2 ** 50, name: 'pebibytes' },
  e: { bytes: 2 ** 60, name: 'exbibytes' },
  K: { bytes: 1e3, name: 'kilobytes' },
  M: { bytes: 1e6, name: 'megabytes' },
  G: { bytes: 1e9, name: 'gigabytes' },
  T: { bytes: 1e12, name: 'terabytes' },
  P: { bytes: 1e15, name: 'petabytes' },
  E: { bytes: 1e18, name: 'exabytes' },
};

/** A unit by its letter. @throws {UsageError} */
export function unitOf(letter: string, option: string): { readonly bytes: number; readonly name: string } {
  const unit = Object.hasOwn(UNITS, letter) ? UNITS[letter] : undefined;
  if (unit === undefined) throw new UsageError(`invalid value '${letter}' for '${option}': Invalid unit specifier`);
  return unit;
}

/** Bytes of a size such as `64k`; a plain number is in 512-byte sectors. @throws {UsageError} */
export function parseSize(text: string, option: string): number {
  const found = /^(\d+)([a-zA-Z]?)$/.exec(text);
  const letter = found?.[2] || 's';
  if (found === null || !Object.hasOwn(UNITS, letter)) {
    throw new UsageError(`invalid value '${text}' for '${option}': Invalid unit specifier`);
  }
  return Number(found[1]) * UNITS[letter]!.bytes;
}

/** A number of units as the tools print it: whole numbers plainly, others from 1 on with two decimals, smaller ones in full. */
export function formatAmount(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 1 ? value.toFixed(2) : inFull(value);
}

/** Without an exponent. */
function inFull(value: number): string {
  const [digits = '0', exponent] = String(value).split('e-');
  if (exponent === undefined) return digits;
  const [whole = '', fraction = ''] = digits.split('.');
  return `0.${'0'.repeat(Number(exponent) - 1)}${whole}${fraction}`;
}

const BYTE_UNITS = ['', 'K', 'M', 'G', 'T', 'P'];

/**
 * Bytes of a size as commands on pools take it: `256M`, `1.5GiB`, `4096`; units are powers of 1024, and a plain number is bytes.
 * @throws {UsageError} when it is none, or no whole number of bytes.
 */
export function parseBytes(text: string, option: string): number {
  const [, digits = '', letter = ''] = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?$/i.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** BYTE_UNITS.indexOf(letter.toUpperCase());
  if (digits !== '' && Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(`invalid value '${text}' for '${option}': a size such as 256M or 16GiB is wanted`);
}

/** A size for people: `256 MiB`, `1.25 GiB`, three digits where it is not exact. */
export function readableBytes(bytes: number): string {
  let unit = 0;
  while (bytes >= 1024 ** (unit + 1) && unit < BYTE_UNITS.length - 1) unit++;
  const value = bytes / 1024 ** unit;
  const digits = Number.isInteger(value) || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit === 0 ? 'bytes' : `${BYTE_UNITS[unit]}iB`}`;
}
