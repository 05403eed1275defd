// A client of the kubelet's port, as a program: tests start it in a machine's network namespace, the only place that reaches it.

import { WebSocket } from 'ws'

/** The program's only argument, as JSON. */
export interface KubeletCall {
  readonly address: string
  /** PEM */
  readonly ca: string
  readonly token: string
  readonly path: string
  readonly protocol: string
  /** Sent on channel 0. */
  readonly input?: string
  /** Tells the end of the input, as v5 of the protocol can. */
  readonly endsInput?: boolean
  /** Leaves as soon as this was read; when the server closes where it is absent. */
  readonly until?: string
}

/** What came by channel, as Latin-1; or why there was no session. */
export type KubeletAnswer = Readonly<Record<number, string>> & { readonly refused?: string }

function talk(call: KubeletCall): Promise<KubeletAnswer> {
  const { address, ca, token, path, protocol, input, endsInput = false, until } = call
  const headers = { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`wss://${address}:10250${path}`, protocol, { ca, headers })
  const answer: Record<number, string> = {}
  socket.on('message', (message: Buffer) => {
    const channel = message[0]!
    answer[channel] = (answer[channel] ?? '') + message.subarray(1).toString('latin1')
    if (until !== undefined && answer[channel].includes(until)) socket.close()
  })
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      if (input !== undefined) socket.send(Buffer.from(`\0${input}`))
      if (endsInput) socket.send(Buffer.of(255, 0))
    })
    socket.once('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('end', () =>
        resolve({ refused: `${response.statusCode} ${Buffer.concat(chunks).toString().trim()}` }),
      )
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(answer))
  })
}

if (import.meta.main) process.stdout.write(JSON.stringify(await talk(JSON.parse(process.argv[2]!) as KubeletCall)))
