// One timed `up`: from the command's start to the API answering, to a real pod Running, and to DNS answering inside it.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import { nameSuffix } from '@aksel/base/ids'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { readLines } from '@aksel/client/response-body'
import { createClient } from '@aksel/client/typed-client'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { ArmClient } from '../../arm-client.ts'
import { CommandError } from '../../command-error.ts'
import { connectionFile, readJsonFile, type ConnectionFile } from '../../files.ts'
import type { CliOptions } from '../../options.ts'
import { prepareBenchUser, type BenchUser } from '../bench-user.ts'
import { costByRole, type RoleCost } from '../process-cost.ts'
import { assertWholePath, proveStages, type StageReport } from '../stages.ts'
import { readAuditLog, startInstance, storeHolds, type Instance } from './instance.ts'

export interface UpRun {
  readonly apiSeconds: number
  readonly podSeconds: number
  readonly dnsSeconds: number
  /** Seconds from the command's start to each step, in the order in which they came. */
  readonly milestones: Readonly<Record<string, number>>
  readonly processes: readonly RoleCost[]
  readonly stages: StageReport
  /** Of the benchmark's own process; the server does not publish its own. */
  readonly benchLoopDelayMs: { readonly p99: number; readonly max: number }
}

const CLUSTER = 'aksel/providers/Microsoft.ContainerService/managedClusters/demo'
const DEADLINE_MS = 120_000
const LOOK_AGAIN_MS = 5
const DNS_ANSWERED = 'dns-answered'

export async function timedUp(outer: Scope, options: CliOptions, request: { readonly nodes?: number }): Promise<UpRun> {
  await using instance = await startInstance(options, request)
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const scope = childScope(outer, {}, anySignal([instance.failed, deadline]))
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const milestones: Record<string, number> = {}
  const reached: Reached = (step, atMs = performance.now()) => (milestones[step] = (atMs - instance.startedMs) / 1000)
  const access = await apiAnswers(scope, instance, reached)
  const apiSeconds = reached('API answers')
  await using adminTransport = createHttpsTransport(access)
  const user = await prepareBenchUser(createClient(adminTransport))
  const { server, caPem, serverName } = access
  const own = { server, caPem, token: user.token, ...(serverName === undefined ? {} : { serverName }) }
  await using transport = createHttpsTransport(own)
  const client = createClient(transport)
  await podRuns(scope, client, user, reached)
  const podSeconds = reached('pod Running')
  await dnsAnswers(scope, client, user)
  const dnsSeconds = reached('DNS answers')
  delay.disable()
  reached('command ended, all nodes Ready', await instance.upEnded)
  const processes = costByRole(instance.dataDir)
  const stages = await stagesOf(scope, instance, own, user)
  assertWholePath(stages)
  const benchLoopDelayMs = { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }
  return { apiSeconds, podSeconds, dnsSeconds, milestones, processes, stages, benchLoopDelayMs }
}

/** Notes a step as reached, now or at this time of `performance.now()`; returns seconds since the command's start. */
type Reached = (step: string, atMs?: number) => number

/** Asks for the administrator's credentials as `az aks get-credentials` does, then for a list, until both are answered. */
export async function apiAnswers(scope: Scope, instance: Instance, reached: Reached = () => 0): Promise<ClusterAccess> {
  const connection = await until(scope, () => readJsonFile<ConnectionFile>(connectionFile(instance.dataDir)))
  reached('front door answers')
  const arm = new ArmClient(connection)
  const path = `/subscriptions/${connection.subscriptionId}/resourceGroups/${CLUSTER}/listClusterAdminCredential`
  const credentials = await until(scope, () =>
    arm.send<{ readonly kubeconfigs: readonly { readonly value: string }[] }>({ method: 'POST', path }),
  )
  reached('credentials issued')
  const access = await parseKubeconfig(Buffer.from(credentials.body.kubeconfigs[0]!.value, 'base64').toString())
  await until(scope, async () => {
    await using transport = createHttpsTransport(access)
    return await createClient(transport).list(pods, { namespace: 'default' })
  })
  return access
}

/** Tries again, a moment later, until there is a value; what went wrong last is told when time is up. */
async function until<T>(scope: Scope, attempt: () => T | Promise<T | undefined> | undefined): Promise<T> {
  let last: unknown
  for (;;) {
    try {
      const value = await attempt()
      if (value !== undefined) return value
    } catch (error) {
      last = error
    }
    if (scope.signal.aborted) throw ended(scope, last)
    await sleep(scope.clock, LOOK_AGAIN_MS)
  }
}

function ended(scope: Scope, last: unknown): Error {
  const { reason } = scope.signal as { readonly reason: unknown }
  if (reason instanceof CommandError) return reason
  const why = last instanceof Error ? last.message : String(reason)
  return new CommandError(`The benchmark waited ${DEADLINE_MS / 1000} s in vain; the last it heard: ${why}`)
}

const POD = 'first'

function podOf({ namespace, serviceAccount }: BenchUser): Pod {
  const lookUp = 'nslookup kubernetes.default.svc.cluster.local 2>/dev/null | grep -q "10\\.0\\.0\\.1$"'
  const script = `until ${lookUp}; do sleep 0.01; done; echo ${DNS_ANSWERED}; exec sleep 3600`
  return {
    metadata: { name: POD, namespace },
    spec: {
      serviceAccountName: serviceAccount,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image: 'docker.io/library/busybox:1.36', command: ['sh', '-c', script] }],
    },
  }
}

/** The pod waits for a node like any other; it is Running when its status says so. */
async function podRuns(scope: Scope, client: Client, user: BenchUser, reached: Reached): Promise<void> {
  const { namespace } = user
  const created = await until(scope, () => client.create(pods, podOf(user)).catch(retryRefused))
  reached('pod created')
  const resourceVersion = created.metadata.resourceVersion!
  let scheduled = false
  const { signal } = scope
  try {
    for await (const event of client.watch(pods, { namespace, resourceVersion, signal })) {
      if (!scheduled && event.object.spec?.nodeName !== undefined) {
        scheduled = true
        reached('pod has a node')
      }
      if (event.object.status?.phase === 'Running') return
    }
  } catch (error) {
    throw signal.aborted ? ended(scope, error) : error
  }
  throw new CommandError('The watch ended before the pod was Running.')
}

/** The new role binding takes a moment to be known. */
function retryRefused(error: unknown): undefined {
  if (!isReason(error, 'Forbidden')) throw error
  return undefined
}

/** The pod's log says when; it is read as `kubectl logs -f` does, through the agent's tunnel. */
async function dnsAnswers(scope: Scope, client: Client, { namespace }: BenchUser): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods/${POD}/log?follow=true`
  const { body } = await client.send({ method: 'GET', path, signal: scope.signal })
  try {
    for await (const line of readLines(body)) {
      if (Buffer.from(line).toString().includes(DNS_ANSWERED)) return
    }
  } catch (error) {
    throw scope.signal.aborted ? ended(scope, error) : error
  }
  throw new CommandError('The log of the pod ended before DNS answered.')
}

export function stagesOf(
  scope: Scope,
  instance: Instance,
  access: ClusterAccess,
  user: BenchUser,
): Promise<StageReport> {
  return proveStages(scope, {
    access,
    namespace: user.namespace,
    serviceAccount: user.serviceAccount,
    mark: `bench-${nameSuffix(scope.random)}`,
    auditLog: () => readAuditLog(instance.dataDir),
    auditPatienceMs: 3000,
    isStored: (text) => storeHolds(instance.dataDir, text),
  })
}
