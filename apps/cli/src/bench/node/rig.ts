// One real node, pods on it as a user makes them, and the same pods by bare calls to the containerd of that very node.

import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { createCriClient } from '@aksel/node/cri/cri-client'
import type { ContainerRuntime } from '@aksel/node/cri/types'
import { benchNamespace } from '../bench-user.ts'
import { barePod, startBarePod } from '../up/cri-probe.ts'

const PAUSE = 'registry.k8s.io/pause:3.6'

export interface NodeRig {
  readonly client: Client
  readonly runtime: ContainerRuntime
  /** `DATA/machines/<key>`. */
  readonly folder: string
  readonly cgroup: string
}

export async function openRig(scope: Scope, dataDir: string, client: Client): Promise<NodeRig & Disposable> {
  const machines = join(dataDir, 'machines')
  const [key] = await readdir(machines)
  const folder = join(machines, key!)
  const runtime = await createCriClient(scope, { socketPath: join(folder, 'c.sock') })
  const memberships = await readFile(`/proc/${await agentOf(folder)}/cgroup`, 'utf8')
  const cgroup = /:(\/aksel[^\n]*)\/system$/m.exec(memberships)![1]!
  return { client, runtime, folder, cgroup, [Symbol.dispose]: () => runtime[Symbol.dispose]() }
}

export async function agentOf(folder: string): Promise<number> {
  return Number(await readFile(join(folder, 'agent.pid'), 'utf8'))
}

/** Seconds until the container has started; the pod is taken away afterwards, which is not counted. */
export async function timeBarePods(rig: NodeRig, names: readonly string[]): Promise<number> {
  const { runtime, folder, cgroup } = rig
  const beganMs = performance.now()
  const ids = await Promise.all(
    names.map((name) =>
      startBarePod(
        runtime,
        barePod(name, {
          logDirectory: join(folder, 'bench-logs', name),
          cgroup: `${cgroup}/bench/${name}`,
          image: PAUSE,
          command: [],
        }),
      ),
    ),
  )
  const seconds = (performance.now() - beganMs) / 1000
  for (const id of ids) {
    await runtime.stopPodSandbox(id)
    await runtime.removePodSandbox(id)
  }
  return seconds
}

function pausePod(name: string): Pod {
  return {
    metadata: { name, namespace: benchNamespace },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image: PAUSE }] },
  }
}

/** Seconds from the first request to create until a watch has shown them all Running. */
export async function timePods(scope: Scope, { client }: NodeRig, names: readonly string[]): Promise<number> {
  const { metadata } = await client.list(pods, { namespace: benchNamespace, limit: 1 })
  const open = new Set(names)
  const beganMs = performance.now()
  const stop = new AbortController()
  const signal = anySignal([scope.signal, stop.signal])
  const watch = client.watch(pods, { namespace: benchNamespace, resourceVersion: metadata.resourceVersion!, signal })
  const seen = (async () => {
    for await (const { object } of watch) {
      if (object.status?.phase === 'Running') open.delete(object.metadata.name)
      if (open.size === 0) return
    }
  })()
  await Promise.all(names.map((name) => client.create(pods, pausePod(name))))
  await seen
  const seconds = (performance.now() - beganMs) / 1000
  stop.abort()
  return seconds
}

/** Resolves when nothing of them stands in the API, and so nothing on the node. */
export async function removePods(scope: Scope, { client }: NodeRig, names: readonly string[]): Promise<void> {
  const { items, metadata } = await client.list(pods, { namespace: benchNamespace })
  const open = new Set(items.map((pod) => pod.metadata.name).filter((name) => names.includes(name)))
  const watch = client.watch(pods, {
    namespace: benchNamespace,
    resourceVersion: metadata.resourceVersion!,
    signal: scope.signal,
  })
  const gone = (async () => {
    if (open.size === 0) return
    for await (const { type, object } of watch) {
      if (type === 'DELETED') open.delete(object.metadata.name)
      if (open.size === 0) return
    }
  })()
  await Promise.all([...open].map((name) => client.delete(pods, { namespace: benchNamespace, name })))
  await gone
}
