/** Plays random work on era metadata beside a plain model of it: the era of each block. */

import { StateError } from 'persistent-data/base';
import { checkEra, dumpEraXml, EraMetadata } from 'persistent-data/era';
import type { BlockDevice } from 'persistent-data/io';
import { Random } from 'persistent-data/testing';

/** What era metadata says, as a plain array. */
export interface EraModel {
  /** Of each block: the era in which it was last marked; 0: never. */
  readonly eras: readonly number[];
  readonly currentEra: number;
  /**
   * Blocks that were cut off and came again: their old era, which is told as long as the writeset that has it is not digested. By block.
   */
  readonly ghosts: ReadonlyMap<number, number>;
}

export type EraStep = (typeof ERA_STEPS)[number];

export const ERA_STEPS = [
  'mark',
  'markRun',
  'checkpoint',
  'digestStep',
  'digest',
  'commit',
  'rollback',
  'snapshot',
  'dropSnapshot',
  'resize',
  'restart',
  'crash',
] as const;

/** How often each step is drawn. */
const WEIGHTS: Readonly<Record<EraStep, number>> = {
  mark: 10,
  markRun: 5,
  checkpoint: 5,
  digestStep: 8,
  digest: 3,
  commit: 4,
  rollback: 3,
  snapshot: 3,
  dropSnapshot: 3,
  resize: 2,
  restart: 2,
  crash: 2,
};

const DRAWN = ERA_STEPS.flatMap((step) => new Array<EraStep>(WEIGHTS[step]).fill(step));

/** How to play. */
export interface EraPlayerOptions {
  readonly seed: number;
  /** Blocks at first. */
  readonly nrBlocks: number;
  /** The most blocks after a change of size. */
  readonly maxBlocks?: number;
  /** The device without what was not flushed, after a crash; without it the step `crash` only opens again. */
  readonly afterCrash?: () => BlockDevice;
}

/** Makes steps, and knows what the metadata has to say after them. */
export class EraPlayer {
  /** What is durable: the model of what was acknowledged. */
  model: EraModel;
  /** What a step that is under way would make of it. */
  trying: EraModel;
  era: EraMetadata;
  device: BlockDevice;
  readonly #random: Random;
  readonly #options: EraPlayerOptions;

  constructor(device: BlockDevice, options: EraPlayerOptions) {
    this.device = device;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.era = EraMetadata.format(device, { blockSizeSectors: 128, cacheBlocks: 64 });
    this.model = { eras: [], currentEra: 0, ghosts: new Map() };
    this.trying = this.model;
    this.#to(this.#resized(options.nrBlocks), () => this.era.resume(options.nrBlocks));
  }

  /** Makes one step, of a kind that is drawn. Answers which. What it throws leaves {@link model} as it was. */
  step(kinds: readonly EraStep[] = DRAWN): EraStep {
    const kind = this.#random.pick(kinds);
    this.#make(kind);
    return kind;
  }

  /** Everything that is wrong: with what the metadata says, with what is on the device. */
  problems(): string[] {
    const { era, model } = this;
    const problems = [...checkEra(this.device)].map(({ message }) => message);
    if (era.currentEra !== model.currentEra) problems.push(`current era ${era.currentEra}, not ${model.currentEra}`);
    if (era.nrBlocks !== model.eras.length) problems.push(`${era.nrBlocks} blocks, not ${model.eras.length}`);
    for (const [b, wanted] of model.eras.entries()) {
      const found = era.eraOf(b);
      if (found !== wanted && found !== model.ghosts.get(b)) problems.push(`block ${b}: era ${found}, not ${wanted}`);
    }
    return problems;
  }

  /** {@link problems} with the XML of the device instead: what the tools see of it. */
  logicalProblems(): string[] {
    const { model } = this;
    const text = dumpEraXml(this.device, { logical: true });
    const found = [...text.matchAll(/<era block="\d+" era="(\d+)"\/>/g)].map(([, value]) => Number(value));
    return model.eras.flatMap((wanted, b) =>
      found[b] === wanted || found[b] === model.ghosts.get(b) ? [] : [`dump, block ${b}: ${found[b]}, not ${wanted}`],
    );
  }

  #make(kind: EraStep): void {
    const { era } = this;
    const random = this.#random;
    const nrBlocks = this.model.eras.length;
    const work: Readonly<Record<EraStep, () => void>> = {
      mark: () => this.#mark(Array.from({ length: random.between(1, 5) }, () => random.below(nrBlocks))),
      markRun: () => {
        const begin = random.below(nrBlocks);
        const length = Math.min(nrBlocks - begin, random.between(1, 200));
        this.#mark(Array.from({ length }, (_, i) => begin + i));
      },
      checkpoint: () => this.#to(this.#nextEra(this.model), () => era.checkpoint()),
      digestStep: () => {
        for (let i = random.between(1, 4); i > 0; i--) era.digestStep();
      },
      digest: () => era.digest(),
      commit: () => era.commit(),
      rollback: () => era.rollback(),
      snapshot: () => {
        if (era.metadataSnapshot !== 0) refused(() => era.takeMetadataSnapshot());
        else this.#to(this.#nextEra(this.model), () => era.takeMetadataSnapshot());
      },
      dropSnapshot: () => {
        if (era.metadataSnapshot === 0) refused(() => era.dropMetadataSnapshot());
        else era.dropMetadataSnapshot();
      },
      resize: () => {
        era.suspend();
        const wanted = random.between(1, (this.#options.maxBlocks ?? nrBlocks) + 1);
        this.#to(this.#resized(wanted), () => era.resume(wanted));
      },
      restart: () => {
        era.suspend();
        era.close();
        this.#open(this.device);
      },
      crash: () => this.#open(this.#options.afterCrash?.() ?? this.device),
    };
    work[kind]();
  }

  #open(device: BlockDevice): void {
    this.device = device;
    this.era = EraMetadata.open(device, { cacheBlocks: 64 });
    const { length } = this.model.eras;
    this.#to(this.#nextEra(this.model), () => this.era.resume(length));
  }

  #mark(blocks: readonly number[]): void {
    const eras = [...this.model.eras];
    const ghosts = new Map(this.model.ghosts);
    for (const b of blocks) {
      eras[b] = this.model.currentEra;
      ghosts.delete(b);
    }
    this.#to({ ...this.model, eras, ghosts }, () => this.era.markWritten(blocks));
    for (const b of blocks) if (!this.era.isMarked(b)) throw new Error(`block ${b} was marked and is not`);
  }

  #nextEra(model: EraModel): EraModel {
    return { ...model, currentEra: model.currentEra + 1 };
  }

  #resized(nrBlocks: number): EraModel {
    const { eras } = this.model;
    const ghosts = new Map(this.model.ghosts);
    for (let b = nrBlocks; b < eras.length; b++) if (eras[b]! > 0) ghosts.set(b, eras[b]!);
    const next = Array.from({ length: nrBlocks }, (_, b) => eras[b] ?? 0);
    return this.#nextEra({ ...this.model, eras: next, ghosts });
  }

  #to(next: EraModel, work: () => unknown): void {
    this.trying = next;
    work();
    this.model = next;
  }
}

function refused(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (error instanceof StateError) return;
    throw error;
  }
  throw new Error('what cannot be done was done');
}
