/**
 * pool-server: a pool with names, served: its volumes over NBD, and its commands over a control socket beside.
 *
 * Promises: one process writes to a pool, whoever asks; what clients are connected to is not taken away. Needs from below: `pool`, and `nbd` for the
 * protocol. Counterpart in Linux: device-mapper's ioctls, by which a pool that is in use is changed.
 *
 * @module
 */
export { ControlClient, RemoteError } from './control-client.ts';
export { CONTROL_VERSION, type Greeting } from './control-protocol.ts';
export { ControlServer } from './control-server.ts';
export { type MethodHooks, type MethodParams, PoolMethods } from './pool-methods.ts';
export { controlSocketPath, PoolServer, type PoolServerOptions, poolSocketPath } from './pool-server.ts';
export { VolumeExport } from './volume-export.ts';
export { NamedSource, type OpenSource, ThinSource, type VolumeSource } from './volume-source.ts';
