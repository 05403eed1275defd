// Which node and which container a call on a pod's log, exec or attach means, with upstream's words where it means none.

import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { ApiError } from '@aksel/base/errors'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'

export interface PodTarget {
  readonly pod: Pod
  /** '' while no node was chosen. */
  readonly nodeName: string
}

export async function findPod(options: ConnectOptions, call: ConnectCall): Promise<PodTarget> {
  const pod = await options.objects.get(pods, { namespace: call.namespace ?? '', name: call.name })
  return { pod, nodeName: pod.spec?.nodeName ?? '' }
}

/** As above, for calls that cannot wait for a node. */
export async function findRunningPod(options: ConnectOptions, call: ConnectCall): Promise<PodTarget> {
  const target = await findPod(options, call)
  if (target.nodeName === '') {
    throw new ApiError('BadRequest', `pod ${target.pod.metadata.name} does not have a host assigned`)
  }
  return target
}

/** The container that `?container=` names, or the only one. */
export function chooseContainer(pod: Pod, asked: string | null): string {
  const { name } = pod.metadata
  const spec = pod.spec
  const containers = (spec?.containers ?? []).map((container) => container.name)
  const init = (spec?.initContainers ?? []).map((container) => container.name)
  const ephemeral = (spec?.ephemeralContainers ?? []).map((container) => container.name)
  if (asked === null || asked === '') {
    if (containers.length === 1) return containers[0]!
    const choice = containers.length === 0 ? '' : `, choose one of: [${containers.join(' ')}]`
    const initChoice = init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`
    throw new ApiError('BadRequest', `a container name must be specified for pod ${name}${choice}${initChoice}`)
  }
  if (![...containers, ...init, ...ephemeral].includes(asked)) {
    throw new ApiError('BadRequest', `container ${asked} is not valid for pod ${name}`)
  }
  return asked
}

/** `/exec/NAMESPACE/POD/CONTAINER?…`, with the pod's uid, so that a successor of the same name is not taken for it. */
export function nodePath(route: string, pod: Pod, container: string | undefined, query: URLSearchParams): string {
  const names = [pod.metadata.namespace ?? '', pod.metadata.name, ...(container === undefined ? [] : [container])]
  const params = new URLSearchParams(query)
  if (pod.metadata.uid !== undefined) params.set('uid', pod.metadata.uid)
  return `/${route}/${names.map(encodeURIComponent).join('/')}?${params.toString()}`
}
