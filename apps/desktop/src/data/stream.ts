// The body of a long GET, piece by piece over a socket: watches, logs, flows. Also used by the worker.

import { RefusedError } from '../model/list-watch.ts'

/** As tables of the server, where `table` is asked for. Resolves when the server ends it; rejects with a RefusedError or a lost connection. */
export function readStream(
  url: string,
  options: { readonly table?: boolean; readonly signal: AbortSignal; readonly onPiece: (piece: Uint8Array) => void },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, [options.table === true ? 'table.stream.aksel.dev' : 'stream.aksel.dev'])
    socket.binaryType = 'arraybuffer'
    let refusal: RefusedError | undefined
    const abort = (): void => {
      socket.close()
      reject(options.signal.reason as Error)
    }
    options.signal.addEventListener('abort', abort, { once: true })
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data !== 'string') return take(data)
      refusal = refusalOf(data)
    })
    const take = (data: ArrayBuffer): void => {
      try {
        options.onPiece(new Uint8Array(data))
      } catch (error) {
        socket.close()
        reject(error as Error)
      }
    }
    socket.addEventListener('close', ({ code }) => {
      options.signal.removeEventListener('abort', abort)
      if (refusal !== undefined) reject(refusal)
      else if (code === 1000) resolve()
      else reject(new Error('The connection was lost.'))
    })
  })
}

function refusalOf(text: string): RefusedError {
  const { status, body } = JSON.parse(text) as { readonly status: number; readonly body: string }
  try {
    const { message } = JSON.parse(body) as { readonly message?: string }
    return new RefusedError(status, message ?? body)
  } catch {
    return new RefusedError(status, body)
  }
}
