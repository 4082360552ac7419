/**
 * `testing`: simulated disks, generators, damage and conformance suites. Public; takes the test library as a parameter.
 *
 * Promises: what depends on chance depends on a seed only. Needs: the other layers, and a host like Node. Counterpart in the kernel:
 * the device-mapper targets `flakey`, `dust` and `log-writes`.
 *
 * @module
 */
export {
  type BlockDeviceCapabilities,
  type BlockDeviceSubject,
  type BlockDeviceSuiteOptions,
  blockDeviceSuite,
} from './block-device-suite.ts';
export { CACHE_DAMAGES, type CacheDamage, damageCache } from './cache-damage.ts';
export { CacheBlock, CachePatient, type CacheRootField } from './cache-patient.ts';
export { type CacheShape, generateCache } from './cache-shape.ts';
export { CrashDevice, type CrashDeviceOptions } from './crash-device.ts';
export { type CrashItem, SECTOR_SIZE, WHOLE } from './crash-item.ts';
export { CrashPoint, type CrashPointFacts, type CrashState } from './crash-point.ts';
export type { SamplingOptions } from './crash-sampling.ts';
export { damageEra, ERA_DAMAGES, type EraDamage, mutateEra } from './era-damage.ts';
export { EraPatient, type EraTree } from './era-patient.ts';
export { type EraShape, generateEra } from './era-shape.ts';
export {
  type ErrorClass,
  ExpectationError,
  expectBytes,
  expectRejects,
  expectSame,
  expectThat,
  expectThrows,
  type TestFunction,
} from './expectation.ts';
export type { CallKind, Fault, FaultMoment } from './fault.ts';
export { FaultDevice, type FaultDeviceOptions } from './fault-device.ts';
export { appendRecord, damageJournal, JOURNAL_DAMAGES, type JournalDamage } from './journal-damage.ts';
export {
  type BytesPart,
  bytesOf,
  type NbdRequestFields,
  nbdContextData,
  nbdInfoData,
  nbdOption,
  nbdRequest,
  nbdString,
} from './nbd-messages.ts';
export { type ExportCall, ModelExport, type ModelExportOptions } from './nbd-model-export.ts';
export { SessionProbe, type SessionProbeOptions } from './nbd-session-probe.ts';
export { NODE_DAMAGES, type NodeDamage } from './node-damage.ts';
export { Random } from './random.ts';
export { type BlockUse, RawImage } from './raw-image.ts';
export { damageStore, STORE_DAMAGES, type StoreDamage, StorePatient } from './store-damage.ts';
export { type CollectionShape, makeStore, type StoreShape } from './store-shape.ts';
export {
  type AuditedDevice,
  type AuditedMapping,
  type AuditedPool,
  auditThin,
  describePool,
  type ThinAudit,
  type TreeName,
} from './thin-audit.ts';
export { damageThin, mutateThin, THIN_DAMAGES, type ThinDamage, ThinPatient } from './thin-damage.ts';
export { ThinModel, type ThinModelOptions } from './thin-model.ts';
export { ThinPlayer, type ThinPlayerOptions } from './thin-player.ts';
export { randomThinScript, shrinkScript, type ThinScript, type ThinScriptShape, type ThinStep } from './thin-script.ts';
export { makeThinPool, type ThinDeviceShape, type ThinShape } from './thin-shape.ts';
