import { StateError } from '../base/index.ts';
import type { KeptVersion } from '../disk-space-map/index.ts';
import { dataBlockAt, timeAt } from './block-time.ts';
import type { DeviceDetails } from './device-details.ts';
import { listedId, type PoolCore, type PoolKeptVersions } from './pool-core.ts';
import type { Mapping } from './thin-device.ts';

/** What a commit made of the trees. */
export interface CommittedRoots {
  readonly mappingRoot: number;
  readonly detailsRoot: number;
}

/** A device in a {@link ThinView}. */
export interface ViewedDevice extends DeviceDetails {
  readonly id: number;
}

/**
 * The pool as it was at a commit, for readers, while the writer goes on. It lives in core only and changes no count on the disk: as long as it is
 * open, blocks that it uses are not handed out, data blocks included. O(1) to make. Close it, or space that is freed stays unusable until the
 * pool is closed.
 */
export class ThinView {
  readonly #core: PoolCore;
  readonly #roots: CommittedRoots;
  readonly #kept: PoolKeptVersions;
  readonly #metadataVersion: KeptVersion;
  readonly #dataVersion: KeptVersion;
  #closed = false;

  /** @internal Made by `ThinMetadata.view`, right after a commit or a rollback of `core`, or at any time before the next. */
  constructor(core: PoolCore, roots: CommittedRoots, kept: PoolKeptVersions) {
    this.#core = core;
    this.#roots = roots;
    this.#kept = kept;
    this.#metadataVersion = core.spaceMap.keepCommitted();
    this.#dataVersion = core.dataSpaceMap.keepCommitted();
  }

  /** All devices, by id. Costs one look-up a device. */
  *devices(): Generator<ViewedDevice> {
    for (let from = 0; ; ) {
      this.#refuseIfClosed();
      const next = this.#core.details.lookupNext(this.#roots.detailsRoot, from);
      if (next === undefined) return;
      const id = listedId(next.key);
      yield { id, ...next.value };
      from = id + 1;
    }
  }

  /** Details of a device, or `undefined`. */
  device(id: number): ViewedDevice | undefined {
    this.#refuseIfClosed();
    const details = this.#core.details.lookup(this.#roots.detailsRoot, id);
    return details === undefined ? undefined : { id, ...details };
  }

  /** The mapping of a virtual block of a device, as {@link device} answered it; `undefined` where nothing was provisioned. */
  find(device: ViewedDevice, virtualBlock: number): Mapping | undefined {
    this.#refuseIfClosed();
    const at = this.#core.mappings.find(this.#roots.mappingRoot, [device.id, virtualBlock]);
    if (at < 0) return undefined;
    const { slab } = this.#core.blockManager;
    return { dataBlock: dataBlockAt(slab, at), shared: device.snapshottedTime > timeAt(slab, at) };
  }

  /**
   * Visits the half-open runs of data blocks that this view uses and the last commit does not: what was given up meanwhile. To be asked right after a
   * commit, with no rollback between. O(bitmaps of the data space), of which those that did not change are not read.
   */
  forEachFreedData(visit: (begin: number, end: number) => void): void {
    this.#refuseIfClosed();
    this.#core.dataSpaceMap.forEachFreedSince(this.#dataVersion, visit);
  }

  /** Lets the blocks go. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kept.metadata.release(this.#metadataVersion);
    this.#kept.data.release(this.#dataVersion);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new StateError('Cannot read the view: it is closed');
  }
}
