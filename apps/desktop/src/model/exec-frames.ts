// Messages of a terminal on the wire: the first byte names the channel (`v5.channel.k8s.io` and `v4`).

export const EXEC_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const

export const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const

export function frame(channel: number, data: Uint8Array | string): Uint8Array<ArrayBuffer> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  const framed = new Uint8Array(bytes.length + 1)
  framed[0] = channel
  framed.set(bytes, 1)
  return framed
}

export function resizeFrame(size: { readonly columns: number; readonly rows: number }): Uint8Array<ArrayBuffer> {
  return frame(channels.resize, JSON.stringify({ Width: size.columns, Height: size.rows }))
}

export type ExecMessage =
  | { readonly kind: 'output'; readonly data: Uint8Array }
  /** The program ended; undefined where it ended well. */
  | { readonly kind: 'ended'; readonly message: string | undefined }

export function readFrame(data: Uint8Array): ExecMessage | undefined {
  const [channel] = data
  const rest = data.subarray(1)
  if (channel === channels.stdout || channel === channels.stderr) return { kind: 'output', data: rest }
  if (channel !== channels.error) return undefined
  const status = JSON.parse(new TextDecoder().decode(rest)) as { readonly status?: string; readonly message?: string }
  return { kind: 'ended', message: status.status === 'Success' ? undefined : (status.message ?? 'it failed') }
}
