// Candidates for a leadership, over TLS as anybody's: how late each renewal of theirs is, and whether the leadership is ever lost.

import type { Lease } from '@aksel/api/types/coordination-v1'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { createClient } from '@aksel/client/typed-client'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import type { ClusterAccess } from '@aksel/runtime/kubeconfig'
import { runAsLeader, type LeaseApi } from '@aksel/runtime/leader-election'

export interface ElectionLoad {
  readonly access: ClusterAccess
  readonly lease: { readonly namespace: string; readonly name: string }
  readonly candidates: number
  readonly durationMs: number
}

export interface ElectionResult {
  readonly renewals: number
  /** Of each renewal: how much later than its period after the one before it was acknowledged. */
  readonly lateP50Ms: number
  readonly lateMaxMs: number
  /** How often the leadership was lost. */
  readonly lost: number
}

/** Upstream's defaults for components. */
const RETRY_PERIOD_MS = 2_000

export async function runElection({ access, lease, candidates, durationMs }: ElectionLoad): Promise<ElectionResult> {
  const stop = new AbortController()
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stop.signal }
  const late: number[] = []
  let lost = 0
  const stand = async (at: number): Promise<void> => {
    await using transport = createHttpsTransport(access)
    await runAsLeader(scope, {
      client: noting(createClient(transport), (ms) => void late.push(ms)),
      lease,
      identity: `candidate-${at}`,
      retryPeriodMs: RETRY_PERIOD_MS,
      run: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
      tell: (_, what) => {
        if (what === 'stopped leading') lost += 1
      },
    })
  }
  const standing = Array.from({ length: candidates }, (_, at) => stand(at))
  await new Promise((resolve) => setTimeout(resolve, durationMs))
  stop.abort(new Error('the election is over'))
  await Promise.all(standing)
  const sorted = late.toSorted((left, right) => left - right)
  const lateP50Ms = sorted[Math.floor(sorted.length / 2)] ?? 0
  return { renewals: sorted.length, lateP50Ms, lateMaxMs: sorted.at(-1) ?? 0, lost }
}

/** Hears how late each renewal but the first is. */
function noting(api: LeaseApi, note: (lateMs: number) => void): LeaseApi {
  let renewedMs: number | undefined
  return {
    get: (type, ref) => api.get(type, ref),
    create: (type, object) => api.create(type, object),
    async update(type, object): Promise<Lease> {
      const updated = await api.update(type, object)
      const nowMs = performance.now()
      if (renewedMs !== undefined) note(nowMs - renewedMs - RETRY_PERIOD_MS)
      renewedMs = nowMs
      return updated
    },
  }
}
