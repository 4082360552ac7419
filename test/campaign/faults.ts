/** The faults that are tried at each call. */

import type { CallKind, Fault } from 'persistent-data/testing';

export const CALL_KINDS: readonly CallKind[] = ['read', 'write', 'flush', 'resize'];

/** Every fault that is worth a try at call `at` of a kind. */
export function faultsAt(kind: CallKind, at: number): Fault[] {
  const faults: Fault[] = [
    { kind: 'error', call: kind, at },
    { kind: 'error', call: kind, at, forever: true },
  ];
  if (kind === 'write') {
    faults.push({ kind: 'partialWrite', at, blocks: 1 }, { kind: 'error', call: kind, at, code: 'ENOSPC' });
  }
  if (kind === 'read') faults.push({ kind: 'partialRead', at, blocks: 1 });
  if (kind === 'flush') faults.push({ kind: 'failedFlush', at });
  return faults;
}

/** Whether it is reads that fail: the disk is as good as before. */
export const isReading = (fault: Fault): boolean =>
  fault.kind === 'partialRead' || (fault.kind === 'error' && fault.call === 'read');

/** Whether an error, or what caused it, is the one that the device gave. */
export function namesReason(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (/EIO|ENOSPC|injected|I\/O|failed|fault/i.test(at.message)) return true;
  }
  return false;
}
