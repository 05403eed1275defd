// An instance with one real node, for benchmarks of what happens on it: its rig, and the proof that requests pass everything.

import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import { createClient } from '@aksel/client/typed-client'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { CommandError } from '../../command-error.ts'
import { prepareBenchUser } from '../bench-user.ts'
import type { BenchRequest } from '../group.ts'
import { assertWholePath, type StageReport } from '../stages.ts'
import { startInstance } from '../up/instance.ts'
import { apiAnswers, stagesOf } from '../up/timed-run.ts'
import { openRig, type NodeRig } from './rig.ts'

export interface OneNode extends AsyncDisposable {
  /** Ends with the instance. */
  readonly scope: Scope
  readonly rig: NodeRig
  readonly stages: StageReport
}

/** Needs root and containerd; `group` is who asks. */
export async function openOneNode(outer: Scope, { options, say }: BenchRequest, group: string): Promise<OneNode> {
  if (!options.isRoot) throw new CommandError(`Group "${group}" runs real pods and needs root.`)
  const { ensureSystemPackages } = await import('../../system-packages.ts')
  const support = ensureSystemPackages({ isRoot: true, say })
  if (!support.realNodes) {
    throw new CommandError(`Group "${group}" runs real pods, and this host cannot: ${support.why}.`)
  }
  say(`${group}: one real node`)
  await using made = new AsyncDisposableStack()
  const instance = made.use(await startInstance(options, { nodes: 1 }))
  const scope = { ...outer, signal: anySignal([outer.signal, instance.failed]) }
  const access = await apiAnswers(scope, instance)
  await instance.upEnded
  await using admin = createHttpsTransport(access)
  const user = await prepareBenchUser(createClient(admin))
  const { server, caPem, serverName } = access
  const own = { server, caPem, token: user.token, ...(serverName === undefined ? {} : { serverName }) }
  const transport = made.use(createHttpsTransport(own))
  const rig = made.use(await openRig(scope, instance.dataDir, createClient(transport)))
  const stages = await stagesOf(scope, instance, own, user)
  assertWholePath(stages)
  const moved = made.move()
  return { scope, rig, stages, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}
