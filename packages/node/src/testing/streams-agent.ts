// A node agent of streams alone, as a program: tests start it in a machine's network namespace, where the real agent
// lives, since containerd's streaming server and pods' addresses are reached from nowhere else.

import { readFileSync } from 'node:fs'
import { dialTunnel } from '@aksel/runtime/tunnel'
import type { TunnelTls } from '@aksel/runtime/tunnel'
import { createTasks } from '../containerd/tasks.ts'
import { createCriClient } from '../cri/cri-client.ts'
import type { ContainerRuntime } from '../cri/types.ts'
import { createAttachUrls } from '../streams/attach.ts'
import { createStreamsHandler } from '../streams/handler.ts'
import type { PodLookup, StreamContainer } from '../streams/pod-lookup.ts'
import { testScope } from './test-scope.ts'

/** What the program reads as JSON from standard input. */
export interface StreamsAgentOptions {
  readonly tunnelSocket: string
  readonly tls: TunnelTls
  readonly containerdSocket: string
  /** For pipes; exists. */
  readonly directory: string
}

/** Pods as CRI knows them; containers of interactive pods are those whose name ends in `-tty`. */
function criPods(runtime: ContainerRuntime): PodLookup {
  return {
    async find(namespace, name) {
      const sandboxes = await runtime.listPodSandboxes()
      const sandbox = sandboxes.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
      if (sandbox === undefined) return undefined
      const entries = (await runtime.listContainers()).filter(({ podSandboxId }) => podSandboxId === sandbox.id)
      const containers = entries.map(async ({ id, metadata }): Promise<StreamContainer> => {
        const status = await runtime.containerStatus(id)
        return {
          name: metadata.name,
          state: status.state === 'CONTAINER_RUNNING' ? 'running' : 'terminated',
          containerId: id,
          logPath: status.logPath,
          previousLogPath: undefined,
          stdin: metadata.name.endsWith('-tty'),
          tty: metadata.name.endsWith('-tty'),
        }
      })
      const { uid } = sandbox.metadata
      return { uid, namespace, name, sandboxId: sandbox.id, containers: await Promise.all(containers) }
    },
  }
}

const options = JSON.parse(readFileSync(0, 'utf8')) as StreamsAgentOptions
const scope = testScope()
const socketPath = options.containerdSocket
const tasks = await createTasks(scope, { socketPath, directory: options.directory })
const attach = await createAttachUrls(scope, { socketPath })
const pods = criPods(await createCriClient(scope, { socketPath }))
const handler = createStreamsHandler({ pods, tasks, attach })
await dialTunnel(scope, { socketPath: options.tunnelSocket, tls: options.tls, handler }).connected
process.stdout.write('connected\n')
