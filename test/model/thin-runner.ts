/**
 * Plays commands on a thin pool and on its model, side by side, and compares the two after each: devices, mappings, clocks; every reference
 * count, against a plain walk of all that refers to a block; the shape of every tree. The device under the pool refuses to let go of what a
 * superblock on it refers to.
 */

import { NoSpaceError, PersistentDataError, StateError } from '../../packages/persistent-data/src/base/index.ts';
import { checkAgainstModel, checkViews } from './check-thin-model.ts';
import { expectThrown, fail } from './expectations.ts';
import { ThinChanges } from './thin-changes.ts';
import type { Command, Profile } from './thin-command.ts';
import { ThinVersions } from './thin-versions.ts';

/** No operation on pools of these sizes allocates more metadata blocks than this. */
const MOST_USED = 40;

export class ThinRunner {
  readonly #versions: ThinVersions;
  readonly #changes: ThinChanges;

  constructor(profile: Profile) {
    this.#versions = new ThinVersions(profile);
    this.#changes = new ThinChanges(this.#versions, profile);
    this.#begin(profile);
  }

  #begin({ devices = 0, mappings = 0 }: Profile): void {
    const versions = this.#versions;
    for (let id = 0; id < devices; id++) {
      versions.pool.createThin(id);
      versions.model.create(id);
    }
    for (let i = 0; i < mappings; i++) this.#changes.insertFresh(0, 3 * i);
    if (devices > 0) versions.commit();
    this.#check();
  }

  async run(command: Command): Promise<void> {
    this.#changes.nrFreeBefore = this.#versions.pool.core.spaceMap.nrFree;
    try {
      await this.#run(command);
    } catch (error) {
      if (!(error instanceof PersistentDataError)) throw error;
      this.#afterFailure(command, error);
    }
    this.#check();
  }

  /** Ends what is under way. */
  async end(): Promise<void> {
    await this.#versions.finish(2);
    this.#versions.reopen();
    this.#check();
  }

  /** What may fail without a fault of anybody: for lack of space, and then either nothing has changed or a rollback is due. */
  #afterFailure(command: Command, error: PersistentDataError): void {
    const { core } = this.#versions.pool;
    const shown = `${JSON.stringify(command)}: ${error.message}`;
    if (!(error instanceof NoSpaceError)) fail(`an unexpected ${error.name} after ${shown}`);
    if (core.tm.broken === undefined) {
      if (error.space === 'metadata' && command.kind !== 'shrinkMetadata' && this.#versions.pool.nrFreeMetadata > 0) {
        fail(`metadata is refused while there is some: ${shown}`);
      }
      if (error.space === 'data' && command.kind !== 'shrinkData') this.#expectNoFreeData(shown);
      return;
    }
    // A transaction can outgrow the reserve of so small a device. It must not happen with space to spare.
    if (this.#changes.nrFreeBefore > MOST_USED)
      fail(`metadata space runs out with ${this.#changes.nrFreeBefore} blocks free: ${shown}`);
    for (const use of [
      () => this.#versions.pool.createThin(1),
      () => this.#versions.pool.devices(),
      () => this.#versions.pool.commit(),
    ]) {
      expectThrown(use, StateError);
    }
    this.#versions.rollback();
  }

  #expectNoFreeData(shown: string): void {
    const { dataSpaceMap } = this.#versions.pool.core;
    const kept = [this.#versions.committedUsage(), ...this.#versions.keptUsages()];
    for (let b = 0; b < dataSpaceMap.nrBlocksUncommitted; b++) {
      if (dataSpaceMap.getCount(b) === 0 && kept.every(({ data }) => (data[b] ?? 0) === 0)) {
        fail(`data block ${b} is free in all versions, and yet: ${shown}`);
      }
    }
  }

  async #run(command: Command): Promise<void> {
    const { a, b, c } = command;
    switch (command.kind) {
      case 'commit':
        await this.#versions.finish(2);
        this.#versions.commit();
        return;
      case 'commitAsync':
        await this.#versions.finish(2);
        this.#versions.commitAsync();
        return;
      case 'finish':
        await this.#versions.finish(1 + (a % 2));
        return;
      case 'rollback':
        this.#versions.rollback();
        return;
      case 'reopen':
        await this.#versions.finish(2);
        this.#versions.reopen();
        return;
      case 'crash':
        this.#versions.crash();
        return;
      case 'reserve':
      case 'release':
        await this.#versions.finish(2);
        this.#versions.metadataSnapshot(command.kind);
        return;
      default:
        this.#changes.change(command.kind, a, b, c);
    }
  }

  #check(): void {
    const { pool, model, device, views } = this.#versions;
    checkAgainstModel(pool, model, device);
    checkViews(views);
  }
}
