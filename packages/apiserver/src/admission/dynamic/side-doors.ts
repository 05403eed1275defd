// Every way into an object that the API has, as requests: what a policy or a webhook says no to must be refused on each of them.

export interface Door {
  readonly what: string
  readonly method: string
  readonly path: string
  /** Content type; JSON where absent. */
  readonly type?: string
  readonly body?: unknown
  /** It ends elsewhere without nodes: only that it was let through is looked at. */
  readonly isConnect?: boolean
}

const web = '/api/v1/namespaces/web'
const apps = '/apis/apps/v1/namespaces/web'
const custom = '/apis/example.com/v1/namespaces/web/things'
const json = 'application/json-patch+json'
const merge = 'application/merge-patch+json'
const strategic = 'application/strategic-merge-patch+json'
const apply = 'application/apply-patch+yaml'

const labelled = { labels: { seen: 'yes' } }
const addLabel = [{ op: 'add', path: '/metadata/labels', value: { seen: 'yes' } }]
const podSpec = { containers: [{ name: 'a', image: 'a', resources: { requests: { cpu: '1' } } }] }

/** One object by all four patches. */
function patches(what: string, path: string, { operations, change, applied, isCustom }: PatchBodies): readonly Door[] {
  const door = (name: string, type: string, body: unknown, query = ''): Door => ({
    what: `${name} of ${what}`,
    method: 'PATCH',
    path: `${path}${query}`,
    type,
    body,
  })
  return [
    door('a JSON patch', json, operations),
    door('a merge patch', merge, change),
    ...(isCustom === true ? [] : [door('a strategic patch', strategic, change)]),
    door('an apply', apply, applied, '?fieldManager=door&force=true'),
  ]
}

interface PatchBodies {
  readonly operations: unknown
  readonly change: unknown
  readonly applied: unknown
  readonly isCustom?: boolean
}

const configMap = (name: string, more: object = {}): unknown => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'web', ...more },
})

const objects: readonly Door[] = [
  { what: 'a create', method: 'POST', path: `${web}/configmaps`, body: configMap('made') },
  {
    what: 'a create by prefix',
    method: 'POST',
    path: `${web}/configmaps`,
    body: { metadata: { generateName: 'made-' } },
  },
  { what: 'a dry run', method: 'POST', path: `${web}/configmaps?dryRun=All`, body: configMap('dry') },
  {
    what: 'an apply that creates',
    method: 'PATCH',
    path: `${web}/configmaps/applied?fieldManager=door`,
    type: apply,
    body: configMap('applied'),
  },
  {
    what: 'an update that creates',
    method: 'PUT',
    path: '/apis/coordination.k8s.io/v1/namespaces/web/leases/put',
    body: {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'put', namespace: 'web' },
      spec: { holderIdentity: 'x', leaseDurationSeconds: 10 },
    },
  },
  { what: 'an update', method: 'PUT', path: `${web}/configmaps/target`, body: configMap('target', labelled) },
  ...patches('an object', `${web}/configmaps/target`, {
    operations: addLabel,
    change: { metadata: labelled },
    applied: configMap('target', labelled),
  }),
  {
    what: 'another version of the object',
    method: 'PATCH',
    path: '/apis/autoscaling/v1/namespaces/web/horizontalpodautoscalers/h',
    type: merge,
    body: { spec: { maxReplicas: 4 } },
  },
]

const deployment = (more: object): unknown => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', namespace: 'web' },
  ...more,
})
const status = { status: { replicas: 3 } }
const scale = { spec: { replicas: 3 } }
const scaleObject = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd', namespace: 'web' }, ...scale }

const subresources: readonly Door[] = [
  ...patches('a status', `${apps}/deployments/d/status`, {
    operations: [{ op: 'add', path: '/status/replicas', value: 3 }],
    change: status,
    applied: deployment(status),
  }),
  ...patches('a scale', `${apps}/deployments/d/scale`, {
    operations: [{ op: 'replace', path: '/spec/replicas', value: 2 }],
    change: scale,
    applied: scaleObject,
  }),
  { what: 'an update of a scale', method: 'PUT', path: `${apps}/deployments/d/scale`, body: scaleObject },
  {
    what: 'the status of a pod',
    method: 'PATCH',
    path: `${web}/pods/p/status`,
    type: strategic,
    body: { status: { phase: 'Running' } },
  },
  {
    what: 'a container for a look',
    method: 'PATCH',
    path: `${web}/pods/p/ephemeralcontainers`,
    type: strategic,
    body: { spec: { ephemeralContainers: [{ name: 'look', image: 'a' }] } },
  },
  {
    what: 'another size',
    method: 'PATCH',
    path: `${web}/pods/p/resize`,
    type: strategic,
    body: { spec: { containers: [{ name: 'a', resources: { requests: { cpu: '2' } } }] } },
  },
  {
    what: 'a binding',
    method: 'POST',
    path: `${web}/pods/p/binding`,
    body: { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } },
  },
  {
    what: 'a binding beside the pod',
    method: 'POST',
    path: `${web}/bindings`,
    body: { metadata: { name: 'q' }, target: { kind: 'Node', name: 'n' } },
  },
  { what: 'a token', method: 'POST', path: `${web}/serviceaccounts/default/token`, body: { spec: {} } },
  {
    what: 'the status of a namespace',
    method: 'PATCH',
    path: `${web}/status`,
    type: merge,
    body: { status: { phase: 'Active' } },
  },
  {
    what: 'finalizers of a namespace',
    method: 'PUT',
    path: `${web}/finalize`,
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'web' }, spec: { finalizers: ['kubernetes'] } },
  },
]

const thing = (more: object): unknown => ({
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { name: 't', namespace: 'web' },
  ...more,
})

const customs: readonly Door[] = [
  { what: 'a custom object', method: 'POST', path: custom, body: thing({ metadata: { name: 'made' } }) },
  ...patches('a custom object', `${custom}/t`, {
    operations: [{ op: 'add', path: '/spec/replicas', value: 2 }],
    change: { spec: { replicas: 4 } },
    applied: thing({ spec: { replicas: 5 } }),
    isCustom: true,
  }),
  ...patches('a custom status', `${custom}/t/status`, {
    operations: [{ op: 'add', path: '/status', value: { replicas: 1 } }],
    change: { status: { replicas: 2 } },
    applied: thing({ status: { replicas: 3 } }),
    isCustom: true,
  }),
  {
    what: 'the scale of a custom object',
    method: 'PATCH',
    path: `${custom}/t/scale`,
    type: merge,
    body: { spec: { replicas: 7 } },
  },
]

const connections: readonly Door[] = [
  { what: 'a command', method: 'POST', path: `${web}/pods/p/exec?command=ls&stdout=true`, isConnect: true },
  { what: 'an attachment', method: 'POST', path: `${web}/pods/p/attach?stdout=true`, isConnect: true },
  { what: 'a forwarded port', method: 'POST', path: `${web}/pods/p/portforward`, isConnect: true },
  { what: 'a proxied pod', method: 'GET', path: `${web}/pods/p/proxy/`, isConnect: true },
  { what: 'a proxied service', method: 'GET', path: `${web}/services/s/proxy/`, isConnect: true },
]

const removals: readonly Door[] = [
  { what: 'an eviction', method: 'POST', path: `${web}/pods/q/eviction`, body: { metadata: { name: 'q' } } },
  { what: 'a delete', method: 'DELETE', path: `${web}/configmaps/target` },
  { what: 'a delete of a collection', method: 'DELETE', path: `${web}/pods` },
  { what: 'a delete of a custom collection', method: 'DELETE', path: custom },
]

export const doors: readonly Door[] = [...objects, ...subresources, ...customs, ...connections, ...removals]

/** What the doors lead to: path and body of each, in order. */
export const behindDoors: readonly (readonly [string, unknown])[] = [
  ['/api/v1/namespaces', { metadata: { name: 'web' } }],
  [`${web}/serviceaccounts`, { metadata: { name: 'default' } }],
  [`${web}/configmaps`, configMap('target')],
  [`${web}/services`, { metadata: { name: 's' }, spec: { ports: [{ port: 80 }], selector: { a: 'b' } } }],
  ...['p', 'q'].map((name) => [`${web}/pods`, { metadata: { name }, spec: podSpec }] as const),
  [
    `${apps}/deployments`,
    deployment({
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: podSpec },
      },
    }),
  ],
  [
    '/apis/autoscaling/v2/namespaces/web/horizontalpodautoscalers',
    {
      metadata: { name: 'h' },
      spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' } },
    },
  ],
  [
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    {
      metadata: { name: 'things.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'things', singular: 'thing', kind: 'Thing' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: { type: 'object', properties: { replicas: { type: 'integer' } } },
                  status: { type: 'object', properties: { replicas: { type: 'integer' } } },
                },
              },
            },
            subresources: {
              status: {},
              scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
            },
          },
        ],
      },
    },
  ],
]

export const customObject: readonly [string, unknown] = [custom, thing({ spec: { replicas: 1 } })]
