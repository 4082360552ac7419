/** The kinds of calls that a `FaultDevice` counts. `flush` counts `flushAsync` too. */
export type CallKind = 'read' | 'write' | 'flush' | 'resize';

/** When a fault shows: at one call of its kind, counted from 0, or from that call on. */
export interface FaultMoment {
  readonly at: number;
  /** From call `at` on. Default: false, once. */
  readonly forever?: boolean;
}

/**
 * One way in which a disk fails. Plain data, so that a campaign can make, print and replay it.
 *
 * @see docs/crash-model.md, "A disk that fails"
 */
export type Fault =
  /** The call does nothing and throws: a `DeviceError`, or a `NoSpaceError` for the codes that mean so. */
  | (FaultMoment & {
      readonly kind: 'error';
      readonly call: CallKind;
      /** The system's name of the error. Default: `EIO`. */
      readonly code?: string;
    })
  /** The read fills in its first `blocks` blocks, leaves the others as they are, and throws a `DeviceError`. */
  | (FaultMoment & { readonly kind: 'partialRead'; readonly blocks: number })
  /** The write does its first `blocks` blocks and throws a `DeviceError`. */
  | (FaultMoment & { readonly kind: 'partialWrite'; readonly blocks: number })
  /**
   * The host has room for `blocks` more blocks. One is taken by each block that is written for the first time through this device
   * and held zeros before; a write that needs more does what has room and throws a `NoSpaceError`.
   */
  | { readonly kind: 'noSpace'; readonly blocks: number }
  /** Bit `bit` (0 to 32767, the lowest of the first byte first) of a block reads inverted until the block is written. */
  | { readonly kind: 'bitRot'; readonly block: number; readonly bit: number }
  /** The write is not done and succeeds. */
  | (FaultMoment & { readonly kind: 'lostWrite' })
  /** The write is done at block `to` instead, as far as the device reaches, and succeeds. */
  | (FaultMoment & { readonly kind: 'misdirectedWrite'; readonly to: number })
  /** The read gives each block as it was before it was last written through this device. */
  | (FaultMoment & { readonly kind: 'staleRead' })
  /**
   * The flush throws a `DeviceError`, and the disk has lost what was written since the last flush that succeeded. This device still
   * shows it, as a page cache does; the device under it does not. Later flushes succeed.
   */
  | { readonly kind: 'failedFlush'; readonly at: number }
  /** A negative control: the flush is not passed on and succeeds. */
  | (FaultMoment & { readonly kind: 'droppedFlush' });

/** Whether a fault shows at call number `index`. */
export function isDue({ at, forever = false }: FaultMoment, index: number): boolean {
  return forever ? index >= at : index === at;
}
