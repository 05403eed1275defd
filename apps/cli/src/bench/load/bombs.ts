// Inputs that are made to cost a server far more than their sender, one after the other for as long as is asked.

import { bombRequest, bombs } from '@aksel/apiserver/fuzz/bombs'
import { definitionBombs } from '@aksel/apiserver/fuzz/definition-bombs'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import type { ClusterAccess } from '@aksel/runtime/kubeconfig'

export interface BombLoad {
  /** Of who may write what the bombs are. */
  readonly access: ClusterAccess
  readonly durationMs: number
}

export interface BombResult {
  readonly sent: number
  readonly kinds: number
  /** Answers by the first digit of their code; `0`: ended without one. */
  readonly byClass: Readonly<Record<string, number>>
  readonly slowestMs: number
  readonly slowest: string
}

/** Neighbours in the list are of one kind: a short run is to have some of each. */
const STRIDE = 61
/** An input that has no answer by then hangs. */
const HANGS_MS = 30_000

export async function throwBombs({ access, durationMs }: BombLoad): Promise<BombResult> {
  await using transport = createHttpsTransport(access)
  const all = [...bombs(), ...definitionBombs()]
  const byClass: Record<string, number> = {}
  let [sent, slowestMs, slowest] = [0, 0, '']
  const endMs = performance.now() + durationMs
  for (; performance.now() < endMs; sent += 1) {
    const bomb = all[(sent * STRIDE) % all.length]!
    const beganMs = performance.now()
    let status = 0
    try {
      const response = await transport.send(bombRequest(bomb, AbortSignal.timeout(HANGS_MS)))
      status = response.status
      await readBody(response.body)
    } catch {
      // Ended in the middle: a refusal, too.
    }
    const ms = performance.now() - beganMs
    if (ms > slowestMs) [slowestMs, slowest] = [ms, bomb.what]
    const digit = String(Math.floor(status / 100))
    byClass[digit] = (byClass[digit] ?? 0) + 1
  }
  return { sent, kinds: all.length, byClass, slowestMs, slowest }
}
