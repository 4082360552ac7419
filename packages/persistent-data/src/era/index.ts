/**
 * era: the metadata of era devices, which know when each block of an origin was last written, and the tools over it.
 *
 * Promises: a mark is durable before the write that it is for; the kernel's own bytes for the kernel's own operations; a commit is atomic.
 * Needs from below: arrays, bitsets, btrees, space maps, XML. Kernel counterpart: dm-era-target.c.
 *
 * @module
 */

export { checkEra, EraCheck, type EraCheckOptions, type EraCheckPhase } from './check.ts';
export { dumpEra, dumpEraXml, type EraDumpOptions } from './dump.ts';
export { type ErasVisitor, foldEras } from './fold.ts';
export { FoldingVisitor } from './folding-visitor.ts';
export { EraImage, type EraImageOptions, type EraWriteset } from './image.ts';
export { type RangeVisitor, type WrittenSinceOptions, writtenSince } from './invalidate.ts';
export { type EraFormatOptions, EraMetadata, type EraMetadataOptions } from './metadata.ts';
export { EraNdjsonWriter } from './ndjson-writer.ts';
export { EraRestore, type EraRestoreOptions, restoreEraXml } from './restore.ts';
export { type EraLoss, salvageEra } from './salvage.ts';
export { type EraSuperblock, isEraBlockSize, readEraSuperblock } from './superblock.ts';
export type { EraVisitor, EraXmlSuperblock } from './visitor.ts';
export { WRITESET_VALUE, type Writeset } from './writeset.ts';
export { readEraXml, readEraXmlAsync } from './xml-reader.ts';
export { EraXmlWriter } from './xml-writer.ts';
