// All that the log store may ask of a disk, so that power cuts, full disks and bit rot can be simulated under production code.

/** What failed, as Node words it: `EIO`, `ENOSPC`, `ENOENT`, … */
export interface DiskError extends Error {
  readonly code: string
}

export function isDiskError(error: unknown, ...codes: readonly string[]): error is DiskError {
  if (!(error instanceof Error)) return false
  const { code } = error as Partial<DiskError>
  return typeof code === 'string' && (codes.length === 0 || codes.includes(code))
}

/** An open file. Offsets and lengths are bytes. */
export interface DiskFile {
  sizeBytes(): Promise<number>
  /** Up to `length` bytes from `offset`; fewer only at the end of the file. The caller owns the result. */
  read(offset: number, length: number): Promise<Buffer>
  /** Writes all bytes or throws; after a throw any part of them may stand in the file. */
  write(offset: number, bytes: Uint8Array): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  /** When it resolves, what was written before the call survives a power cut, the file's length included. */
  datasync(): Promise<void>
  close(): Promise<void>
}

export const openModes = ['read', 'modify', 'create'] as const
/** `read` and `modify` need the file to exist; `create` makes it, or empties the one that is there. */
export type OpenMode = (typeof openModes)[number]

export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Names in the folder, sorted. */
  list(directory: string): Promise<readonly string[]>
  /** Makes the folder and those above it; one that exists is fine. */
  makeDirectory(directory: string): Promise<void>
  /** When it resolves, the names made, renamed and removed in the folder before the call survive a power cut. */
  syncDirectory(directory: string): Promise<void>
  /** Atomic; replaces what has the new name. */
  rename(from: string, to: string): Promise<void>
  /** A second name for the same file; EEXIST when the name is taken. */
  link(existing: string, name: string): Promise<void>
  /** ENOENT when there is no such file. */
  remove(path: string): Promise<void>
  /** Exclusive use of a folder until disposed or the process ends, however it ends. Throws ELOCKED while another holds it. */
  lock(directory: string): Promise<AsyncDisposable>
}

/** The error that a disk throws, for drivers of `Disk`. */
export function diskError(code: string, message: string): DiskError {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
