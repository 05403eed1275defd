// A socket's path may have 107 bytes, and a plug-in's below a machine's folder soon has more. Through an open folder every
// path is short.

import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

const PATH_BYTES_MAX = 107

export interface SocketAddress extends AsyncDisposable {
  /** To connect to, or to listen at; good until disposed. */
  readonly path: string
}

/** Rejects with ENOENT where the path is long and its folder is not there. */
export async function socketAddress(path: string): Promise<SocketAddress> {
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return { path, [Symbol.asyncDispose]: () => Promise.resolve() }
  const folder = await open(dirname(path), 'r')
  return { path: `/proc/self/fd/${folder.fd}/${basename(path)}`, [Symbol.asyncDispose]: () => folder.close() }
}
