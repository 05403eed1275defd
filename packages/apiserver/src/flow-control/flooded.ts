// Shared by the flooded server's process and the tests that flood it: how it is started, as whom it is asked, and which faults
// are planted in its guard so that the harness is seen to find them.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ApiResponse } from '@aksel/client/transport'
import { createHttpsTransport, type HttpsTransport } from '@aksel/runtime/https-transport'
import type { UserInfo } from '../authentication/user-info.ts'
import type { SeatLimits } from '../in-flight.ts'
import { isSystem, judgeGuard, type GuardRules } from './guard.ts'

export const plantedFaults = ['none', 'throttles the system', 'never withdraws'] as const
export type PlantedFault = (typeof plantedFaults)[number]

export interface FloodOptions {
  readonly seats: SeatLimits
  readonly calmMs: number
  /** Who gets a certificate. */
  readonly users: readonly UserInfo[]
  readonly planted: PlantedFault
}

export interface FloodServer {
  readonly url: string
  readonly caPem: string
  readonly certificates: Readonly<Record<string, { readonly certPem: string; readonly keyPem: string }>>
}

export function plantedRules(planted: PlantedFault): Partial<GuardRules> {
  switch (planted) {
    case 'none':
      return {}
    case 'throttles the system':
      return {
        // Whoever of the system is there while it throttles: how much of it, would hang on the machine's speed.
        judge: (state, window, calmMs) => {
          const next = judgeGuard(state, window, calmMs)
          if (next.clients.length === 0) return next
          const system = window.costs.filter((cost) => isSystem(cost) && !cost.groups.includes('system:masters'))
          return { ...next, clients: [...new Set([...next.clients, ...system.map(({ user }) => user)])] }
        },
      }
    case 'never withdraws':
      return { judge: (state, window) => judgeGuard(state, window, Number.MAX_SAFE_INTEGER) }
    default:
      return planted satisfies never
  }
}

export interface Flooded extends AsyncDisposable {
  readonly url: string
  /** For who speaks HTTP by himself. */
  tlsOf(user: UserInfo): { readonly ca: string; readonly cert: string; readonly key: string }
  /** A connection of its own, with the user's certificate. */
  connect(user: UserInfo): HttpsTransport
}

export async function startFlooded(options: FloodOptions): Promise<Flooded> {
  const child = fork(join(import.meta.dirname, 'flood-server.ts'), [JSON.stringify(options)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  const [{ url, caPem, certificates }] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
  ])) as [FloodServer]
  const transports: HttpsTransport[] = []
  return {
    url,
    tlsOf: ({ name }) => ({ ca: caPem, cert: certificates[name]!.certPem, key: certificates[name]!.keyPem }),
    connect({ name }) {
      const transport = createHttpsTransport({ server: url, caPem, ...certificates[name]! })
      transports.push(transport)
      return transport
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(transports.map((one) => one[Symbol.asyncDispose]()))
      if (child.exitCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}

export interface Reply {
  readonly status: number
  readonly headers: ApiResponse['headers']
  readonly bytes: number
}

/** Reads the answer and forgets it. */
export async function reply(transport: HttpsTransport, path: string, signal?: AbortSignal): Promise<Reply> {
  const request = { method: 'GET', path, headers: {}, ...(signal === undefined ? {} : { signal }) }
  const { status, headers, body } = await transport.send(request)
  let bytes = 0
  for await (const piece of body) bytes += piece.length
  return { status, headers, bytes }
}
