// D4: how long after a pod is Ready another one reaches it by the name of its service, on a real node.

import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { pods, services } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import { CommandError } from '../../command-error.ts'
import { benchNamespace as namespace } from '../bench-user.ts'
import { startChild } from '../load/orders.ts'
import { removePods, type NodeRig } from '../node/rig.ts'
import type { PacketOrders } from './packets-main.ts'

const PROGRAM = fileURLToPath(new URL('packets-main.ts', import.meta.url))
const DNS = '10.0.0.10'
const PORT = 8080
const IMAGE = 'docker.io/library/busybox:1.36'

export interface ReachReport {
  /** Seconds from the moment that a watch shows a pod Ready until a connection by its name is taken; 0 where that came first. */
  readonly waits: readonly number[]
  /** Seconds of the same question and connection to one that has been there for long. */
  readonly calm: readonly number[]
}

/** Pods one after the other, each behind a service that is there before it. */
export async function measureReach(scope: Scope, rig: NodeRig, count: number): Promise<ReachReport> {
  const { client } = rig
  await client.create(pods, serving('asker'))
  const asker = await ready(scope, rig, 'asker')
  const pid = await pidOf(asker.object.metadata.uid!)
  await using inside = await startChild<PacketOrders>({
    program: PROGRAM,
    within: ['nsenter', `--target=${pid}`, '--net'],
  })
  const [waits, calm]: [number[], number[]] = [[], []]
  for (let n = 0; n <= count; n += 1) {
    const name = `reach-${n}`
    await client.create(services, {
      metadata: { name, namespace },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: PORT, protocol: 'TCP' }] },
    })
    const question = { name: `${name}.${namespace}.svc.cluster.local`, dns: DNS, port: 80 }
    const reached = inside.ask('reach', question)
    const [seen, reachedMs] = await Promise.all([startServing(scope, rig, name), reached])
    const beganMs = performance.timeOrigin + performance.now()
    const calmMs = (await inside.ask('reach', question)) - beganMs
    await removePods(scope, rig, [name])
    await client.delete(services, { namespace, name })
    // The first warms everything.
    if (n === 0) continue
    waits.push(Math.max(0, reachedMs - seen.atMs) / 1000)
    calm.push(calmMs / 1000)
  }
  await removePods(scope, rig, ['asker'])
  return { waits, calm }
}

async function startServing(scope: Scope, rig: NodeRig, name: string): Promise<Seen> {
  await rig.client.create(pods, serving(name))
  return ready(scope, rig, name)
}

function serving(name: string): Pod {
  return {
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'c',
          image: IMAGE,
          command: ['httpd', '-f', '-p', String(PORT)],
          readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
        },
      ],
    },
  }
}

interface Seen {
  readonly object: Pod
  /** Milliseconds since 1970. */
  readonly atMs: number
}

async function ready(scope: Scope, { client }: NodeRig, name: string): Promise<Seen> {
  const { metadata } = await client.list(pods, { namespace, limit: 1 })
  const known = await client.get(pods, { namespace, name })
  const stop = new AbortController()
  const signal = anySignal([scope.signal, stop.signal])
  const now = (): number => performance.timeOrigin + performance.now()
  if (isReady(known)) return { object: known, atMs: now() }
  try {
    const watch = client.watch(pods, { namespace, resourceVersion: metadata.resourceVersion!, signal })
    for await (const { object } of watch) {
      if (object.metadata.name === name && isReady(object)) return { object, atMs: now() }
    }
  } finally {
    stop.abort()
  }
  throw new CommandError(`The watch ended before pod ${name} was ready.`)
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
}

/** One of the pod's processes, by its cgroup. */
async function pidOf(uid: string): Promise<number> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const cgroups = await readFile(`/proc/${entry}/cgroup`, 'utf8').catch(() => '')
    if (cgroups.includes(uid)) return Number(entry)
  }
  throw new CommandError(`No process of pod ${uid} runs on this host.`)
}
