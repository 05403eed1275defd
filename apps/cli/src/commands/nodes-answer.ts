// After a server was started anew its nodes still count as Ready, by what they said long ago. This waits for them to speak.

import { readFileSync } from 'node:fs'
import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { sleep, systemClock } from '@aksel/base/clock'
import type { Transport } from '@aksel/client/transport'
import { createClient } from '@aksel/client/typed-client'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig } from '@aksel/runtime/kubeconfig'
import { CommandError } from '../command-error.ts'
import type { Progress } from '../progress.ts'

const DEADLINE_MS = 120_000
const LOOK_AGAIN_MS = 50
const SIMULATED = 'aksel.dev/simulated'

/** Resolves when every node is Ready and its agent answers; rejects with the names of those that do not. */
export async function nodesAnswer(kubeconfigPath: string, progress: Progress): Promise<void> {
  const clock = systemClock()
  const deadlineMs = clock.monotonicMs() + DEADLINE_MS
  await using transport = createHttpsTransport(await parseKubeconfig(readFileSync(kubeconfigPath, 'utf8')))
  const client = createClient(transport)
  for (;;) {
    const { items } = await client.list(nodes)
    const silent: string[] = []
    await Promise.all(
      items.map(async (node) => {
        if (!isReady(node) || !(await agentAnswers(transport, node))) silent.push(node.metadata.name)
      }),
    )
    if (silent.length === 0) return
    if (clock.monotonicMs() > deadlineMs)
      throw new CommandError(
        `After ${DEADLINE_MS / 1000} s these nodes do not answer: ${silent.join(', ')}. "./aksel kubectl describe node ${silent[0]}" tells more.`,
      )
    progress.step(`Waiting for nodes: ${items.length - silent.length} of ${items.length} answer`)
    await sleep(clock, LOOK_AGAIN_MS)
  }
}

function isReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

/** Through the tunnel that the agent dials. A simulated node is part of the server and has none. */
async function agentAnswers(transport: Transport, { metadata }: Node): Promise<boolean> {
  if (metadata.labels?.[SIMULATED] === 'true') return true
  const path = `/api/v1/nodes/${metadata.name}/proxy/healthz`
  const response = await transport.send({ method: 'GET', path, headers: {} })
  for await (const _ of response.body);
  return response.status === 200
}
