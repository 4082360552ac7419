import type { Descriptor } from './catalogue.ts';

/**
 * A collection of one branch, in core. Its structure's reference belongs to the branch's catalogue; before the structure is changed the catalogue's
 * leaf has to be made the branch's own (*checked out*), or a snapshot that shares the leaf would lose blocks that it relies on.
 */
export abstract class RawCollection {
  readonly branchId: number;
  readonly id: number;
  readonly kind: Descriptor['kind'];
  readonly levels: number;
  readonly valueSize: number;
  /** Root of the structure. */
  root: number;
  /** Entries of a tree. */
  count: number;
  /** Values of an array, bits of a bitset. */
  length: number;
  /** The core's epoch in which the catalogue's leaf was checked out, or -1. */
  epoch = -1;

  constructor(branchId: number, id: number, descriptor: Descriptor) {
    this.branchId = branchId;
    this.id = id;
    this.kind = descriptor.kind;
    this.levels = descriptor.levels;
    this.valueSize = descriptor.valueSize;
    this.root = descriptor.root;
    this.count = descriptor.count;
    this.length = descriptor.length;
  }

  /** Becomes a structure that was made elsewhere. What it was is the caller's to give up. */
  adopt(root: number, { count, length }: { readonly count: number; readonly length: number }): void {
    this.root = root;
    this.count = count;
    this.length = length;
  }

  /** Brings what is held back in core into the structure, before its root is stored. */
  settle(): void {}
}
