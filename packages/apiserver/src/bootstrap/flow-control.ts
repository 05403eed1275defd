// The priority levels and flow schemas that every cluster starts with: two of each that nobody may change, and those that
// upstream suggests. Values are those of upstream's bootstrap policy.

import { mandatoryFlowSchemas, mandatoryPriorityLevels } from '@aksel/api/kinds/flow-control-names'
import type { KubernetesObject } from '@aksel/api/resource'
import type {
  FlowSchemaSpec,
  PolicyRulesWithSubjects,
  PriorityLevelConfigurationSpec,
  ResourcePolicyRule,
  Subject,
} from '@aksel/api/types/flowcontrol-v1'

const autoUpdate = 'apf.kubernetes.io/autoupdate-spec'

function level(
  shares: number,
  lendablePercent: number,
  queues: number,
  handSize: number,
): PriorityLevelConfigurationSpec {
  const queuing = { queues, handSize, queueLengthLimit: 50 }
  const limitResponse = { type: 'Queue', queuing }
  return { type: 'Limited', limited: { nominalConcurrencyShares: shares, limitResponse, lendablePercent } }
}

const suggestedLevels: Readonly<Record<string, PriorityLevelConfigurationSpec>> = {
  system: level(30, 33, 64, 6),
  'node-high': level(40, 25, 64, 6),
  'leader-election': level(10, 0, 16, 4),
  'workload-high': level(40, 50, 128, 6),
  'workload-low': level(100, 90, 128, 6),
  'global-default': level(20, 50, 128, 6),
}

const groups = (...names: readonly string[]): readonly Subject[] =>
  names.map((name) => ({ kind: 'Group', group: { name } }))
const users = (...names: readonly string[]): readonly Subject[] =>
  names.map((name) => ({ kind: 'User', user: { name } }))
const systemAccounts: Subject = { kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'kube-system' } }
const everyone = groups('system:unauthenticated', 'system:authenticated')

function everything(subjects: readonly Subject[]): readonly PolicyRulesWithSubjects[] {
  return [
    {
      subjects,
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    },
  ]
}

function leases(verbs: readonly string[]): ResourcePolicyRule {
  return { verbs, apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] }
}

function schema(
  name: string,
  matchingPrecedence: number,
  method: '' | 'ByUser' | 'ByNamespace',
  rules: readonly PolicyRulesWithSubjects[],
): FlowSchemaSpec {
  return {
    priorityLevelConfiguration: { name },
    matchingPrecedence,
    ...(method === '' ? {} : { distinguisherMethod: { type: method } }),
    rules,
  }
}

const nodeRules: readonly ResourcePolicyRule[] = [
  { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true, namespaces: ['*'] },
  leases(['*']),
]

const suggestedSchemas: Readonly<Record<string, FlowSchemaSpec>> = {
  probes: schema('exempt', 2, '', [
    {
      subjects: everyone,
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
    },
  ]),
  'system-leader-election': schema('leader-election', 100, 'ByUser', [
    {
      subjects: [...users('system:kube-controller-manager', 'system:kube-scheduler'), systemAccounts],
      resourceRules: [leases(['get', 'create', 'update'])],
    },
  ]),
  'system-node-high': schema('node-high', 400, 'ByUser', [
    { subjects: groups('system:nodes'), resourceRules: nodeRules },
  ]),
  'system-nodes': schema('system', 500, 'ByUser', everything(groups('system:nodes'))),
  'kube-controller-manager': schema(
    'workload-high',
    800,
    'ByNamespace',
    everything(users('system:kube-controller-manager')),
  ),
  'kube-scheduler': schema('workload-high', 800, 'ByNamespace', everything(users('system:kube-scheduler'))),
  'kube-system-service-accounts': schema('workload-high', 900, 'ByNamespace', everything([systemAccounts])),
  'service-accounts': schema('workload-low', 9000, 'ByUser', everything(groups('system:serviceaccounts'))),
  'global-default': schema('global-default', 9900, 'ByUser', everything(everyone)),
}

function objectsOf(kind: string, specs: Readonly<Record<string, unknown>>): readonly KubernetesObject[] {
  return Object.entries(specs).map(([name, spec]) => {
    const metadata = { name, annotations: { [autoUpdate]: 'true' } }
    const object = { kind, apiVersion: 'flowcontrol.apiserver.k8s.io/v1', metadata, spec }
    return object
  })
}

/** Levels come first: schemas name them. */
export function flowControlObjects(): readonly KubernetesObject[] {
  return [
    ...objectsOf('PriorityLevelConfiguration', { ...mandatoryPriorityLevels, ...suggestedLevels }),
    ...objectsOf('FlowSchema', { ...mandatoryFlowSchemas, ...suggestedSchemas }),
  ]
}
