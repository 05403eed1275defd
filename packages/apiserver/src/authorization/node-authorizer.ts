// What a kubelet may do: its own node, its own pods and what these refer to; besides, the rules that every node has.

import type { PolicyRule } from '@aksel/api/types/rbac-v1'
import type { UserInfo } from '../authentication/user-info.ts'
import { noOpinion, type Attributes, type Authorizer, type Decision } from './attributes.ts'
import type { NodeGraph } from './node-graph.ts'
import { ruleAllows } from './policy-rule.ts'

const userPrefix = 'system:node:'

/** The node that the user is, or undefined. */
export function nodeOf(user: UserInfo): string | undefined {
  if (!user.groups.includes('system:nodes') || !user.name.startsWith(userPrefix)) return undefined
  return user.name.slice(userPrefix.length)
}

export class NodeAuthorizer implements Authorizer {
  readonly #graph: NodeGraph
  readonly #rules: readonly PolicyRule[]

  /** `rules`: those of the ClusterRole system:node. */
  constructor(graph: NodeGraph, rules: readonly PolicyRule[]) {
    this.#graph = graph
    this.#rules = rules
  }

  async authorize(attributes: Attributes): Promise<Decision> {
    const node = nodeOf(attributes.user)
    if (node === undefined) return noOpinion
    if (attributes.isResource) {
      const guarded = guardedResources[`${attributes.group}/${attributes.resource}`]
      if (guarded !== undefined) return toDecision(await guarded(attributes, node, this.#graph))
    }
    return this.#rules.some((rule) => ruleAllows(rule, attributes)) ? allowed : noOpinion
  }
}

const allowed: Decision = { verdict: 'allow', reason: '' }

/** True: allowed; a text: why not; undefined: as the common rules say. */
type Verdict = true | string

type Guard = (attributes: Attributes, node: string, graph: NodeGraph) => Promise<Verdict>

function toDecision(verdict: Verdict): Decision {
  return verdict === true ? allowed : { verdict: 'no opinion', reason: verdict }
}

const reads = ['get', 'list', 'watch']
const unrelated = (node: string): string => `no relationship found between node '${node}' and this object`

const guardedResources: Readonly<Record<string, Guard>> = {
  '/secrets': (attributes, node, graph) =>
    read(attributes, node, reads, (ns, name) => graph.usesSecret(node, ns, name)),
  '/configmaps': (attributes, node, graph) =>
    read(attributes, node, reads, (ns, name) => graph.usesConfigMap(node, ns, name)),
  '/persistentvolumes': (attributes, node, graph) =>
    read(attributes, node, ['get'], (_ns, name) => graph.usesVolume(node, name)),
  '/persistentvolumeclaims': claims,
  '/serviceaccounts': serviceAccounts,
  '/pods': pods,
  '/nodes': nodes,
  'storage.k8s.io/volumeattachments': (attributes, node, graph) =>
    read(attributes, node, ['get'], (_ns, name) => graph.ownsAttachment(node, name)),
  'storage.k8s.io/csinodes': async (attributes, node) =>
    own(
      attributes,
      node,
      ['get', 'create', 'update', 'patch', 'delete'],
      'can only access CSINode with the same name as the requesting node',
    ),
  'resource.k8s.io/resourceclaims': (attributes, node, graph) =>
    read(attributes, node, ['get'], (ns, name) => graph.usesResourceClaim(node, ns, name)),
  'resource.k8s.io/resourceslices': slices,
  'coordination.k8s.io/leases': leases,
  'certificates.k8s.io/podcertificaterequests': certificateRequests,
}

async function read(
  attributes: Attributes,
  node: string,
  verbs: readonly string[],
  isRelated: (namespace: string, name: string) => Promise<boolean>,
): Promise<Verdict> {
  if (attributes.subresource !== '') return 'cannot get subresource'
  if (!verbs.includes(attributes.verb)) return `can only ${verbs.join('/')} this type`
  if (attributes.name === '') return 'can only read objects of this type by name'
  return (await isRelated(attributes.namespace, attributes.name)) || unrelated(node)
}

async function claims(attributes: Attributes, node: string, graph: NodeGraph): Promise<Verdict> {
  const uses = (): Promise<boolean> => graph.usesClaim(node, attributes.namespace, attributes.name)
  if (attributes.subresource === 'status') {
    if (!['update', 'patch'].includes(attributes.verb)) return 'can only update/patch the status of this type'
    return (await uses()) || unrelated(node)
  }
  return read(attributes, node, ['get'], uses)
}

async function serviceAccounts(attributes: Attributes, node: string, graph: NodeGraph): Promise<Verdict> {
  const isToken = attributes.subresource === 'token' && attributes.verb === 'create'
  if (!isToken && (attributes.subresource !== '' || attributes.verb !== 'get'))
    return 'can only get service accounts and create their tokens'
  return (await graph.usesServiceAccount(node, attributes.namespace, attributes.name)) || unrelated(node)
}

async function pods(attributes: Attributes, node: string, graph: NodeGraph): Promise<Verdict> {
  const { verb, subresource, namespace, name } = attributes
  if (subresource === 'status') return ['update', 'patch'].includes(verb) || 'can only update the status of pods'
  if (subresource === 'eviction') return verb === 'create' || 'can only create evictions'
  if (subresource !== '') return `cannot use the subresource "${subresource}"`
  switch (verb) {
    // Whose pods they may be is for NodeRestriction to say: it sees the object.
    case 'create':
    case 'delete':
      return true
    case 'get':
      return (await graph.hasPod(node, namespace, name)) || unrelated(node)
    case 'list':
    case 'watch':
      if (selectsOwn(attributes, 'spec.nodeName', node)) return true
      if (name === '') return 'can only list/watch pods with spec.nodeName field selector'
      return (await graph.hasPod(node, namespace, name)) || unrelated(node)
    default:
      return `cannot ${verb} pods`
  }
}

async function nodes({ verb, subresource, name }: Attributes, node: string): Promise<Verdict> {
  const verbs: Readonly<Record<string, readonly string[]>> = {
    '': ['create', 'update', 'patch'],
    status: ['update', 'patch'],
  }
  // Whose node is written is for NodeRestriction to say: the name of one that is created stands in its body.
  if ((verbs[subresource] ?? []).includes(verb)) return true
  if (subresource !== '' || !reads.includes(verb))
    return `cannot ${verb} nodes${subresource === '' ? '' : `/${subresource}`}`
  if (name === node) return true
  return `node '${node}' cannot read ${name === '' ? 'all nodes' : `'${name}'`}, only its own Node object`
}

async function slices(attributes: Attributes, node: string, graph: NodeGraph): Promise<Verdict> {
  const { verb, subresource, name } = attributes
  if (subresource !== '') return 'cannot authorize ResourceSlice subresources'
  switch (verb) {
    // Whose slice it will be is for NodeRestriction to say.
    case 'create':
      return true
    case 'get':
    case 'update':
    case 'patch':
    case 'delete':
      return (await graph.ownsSlice(node, name)) || unrelated(node)
    case 'list':
    case 'watch':
    case 'deletecollection':
      return (
        selectsOwn(attributes, 'spec.nodeName', node) ||
        'can only list/watch/deletecollection resourceslices with nodeName field selector'
      )
    default:
      return `cannot ${verb} resourceslices`
  }
}

async function certificateRequests(attributes: Attributes, node: string): Promise<Verdict> {
  const { verb, subresource } = attributes
  if (subresource !== '') return 'nodes may not access the status subresource of PodCertificateRequests'
  // Whose pod it is for is for NodeRestriction to say: it sees the object.
  if (verb === 'create') return true
  if (!['list', 'watch'].includes(verb)) return `cannot ${verb} podcertificaterequests`
  return (
    selectsOwn(attributes, 'spec.nodeName', node) ||
    'can only list/watch podcertificaterequests with nodeName field selector'
  )
}

async function leases(attributes: Attributes, node: string): Promise<Verdict> {
  if (attributes.namespace !== 'kube-node-lease')
    return 'can only access leases in the "kube-node-lease" system namespace'
  return own(
    attributes,
    node,
    ['get', 'create', 'update', 'patch', 'delete'],
    'can only access node lease with the same name as the requesting node',
  )
}

function own(attributes: Attributes, node: string, verbs: readonly string[], why: string): Verdict {
  if (attributes.subresource !== '') return 'cannot authorize subresource'
  if (!verbs.includes(attributes.verb)) return `can only ${verbs.join(', ')} this type`
  return attributes.verb === 'create' || attributes.name === node || why
}

function selectsOwn(attributes: Attributes, field: string, node: string): boolean {
  return (attributes.fieldSelector ?? []).some(
    ({ key, operator, values = [] }) => key === field && operator === 'In' && values.length === 1 && values[0] === node,
  )
}
