/**
 * `nbd`: exports of bytes over the network block device protocol. The protocol's messages and both sides' sessions are pure: bytes in, bytes
 * out; `NbdServer` and `NbdClient` give them sockets.
 *
 * Promises: whatever a peer sends or leaves out is an error of its connection, with bounded memory and time, and never more. Needs: `io`, for
 * exports of block devices; knows no target. Counterpart in Linux: the `nbd` driver, and the servers of qemu and nbdkit.
 *
 * @module
 */

export { BufferPool } from './buffer-pool.ts';
export { NbdClient, type NbdClientOptions } from './client.ts';
export type { Extent } from './client-transmission.ts';
export { type DeviceExportOptions, deviceExport } from './device-export.ts';
export type { Answer, ExtentSink, NbdBlockSize, NbdExport, WriteZeroesOptions } from './export.ts';
export { type ExportOptions, ExportTable, type NamedExport } from './export-table.ts';
export { MemoryBudget } from './memory-budget.ts';
export { type LatencyHistogram, type NbdLogEvent, type NbdMetrics, newMetrics } from './metrics.ts';
export { NbdError } from './nbd-error.ts';
export { ALLOCATION, CONTEXTS, type CommandName, type NbdErrorName, SHARING } from './protocol.ts';
export { NbdServer, type NbdServerOptions, type PatienceOptions, type TcpAddress } from './server.ts';
export { ServerSession, type SessionLimits, type SessionLink, type SessionOptions } from './server-session.ts';
export { unixSocketPath } from './socket-path.ts';
export type { ClientTlsFiles, ServerTlsFiles, TlsFiles } from './tls-settings.ts';
export { listenUnix, type UnixListener } from './unix-socket.ts';
export { type NbdAddress, parseUri } from './uri.ts';
