// What one wants to know of an object first, by kind: a few lines, in words.

interface Known {
  readonly kind: string
  readonly type?: unknown
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export type Fact = readonly [string, string]

export function factsOf(object: Known): readonly Fact[] {
  const { spec = {}, status = {} } = object
  const at = (value: unknown, ...path: readonly string[]): unknown =>
    path.reduce<unknown>(
      (from, key) =>
        typeof from === 'object' && from !== null ? (from as Readonly<Record<string, unknown>>)[key] : undefined,
      value,
    )
  const text = (value: unknown): string =>
    value === undefined || value === null || value === ''
      ? '–'
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value as string | number | boolean)
  const list = (value: unknown): string => (Array.isArray(value) && value.length > 0 ? value.map(text).join(', ') : '–')
  switch (object.kind) {
    case 'Pod':
      return [
        ['Node', text(spec['nodeName'])],
        ['Address', text(status['podIP'])],
        ['Phase', text(status['phase'])],
        ['Quality of service', text(status['qosClass'])],
        ['Priority', text(spec['priorityClassName'] ?? spec['priority'])],
        ['Service account', text(spec['serviceAccountName'])],
        ['Restart policy', text(spec['restartPolicy'])],
      ]
    case 'Node':
      return [
        ['Version', text(at(status, 'nodeInfo', 'kubeletVersion'))],
        ['Operating system', text(at(status, 'nodeInfo', 'osImage'))],
        ['Runtime', text(at(status, 'nodeInfo', 'containerRuntimeVersion'))],
        [
          'Addresses',
          list(
            (at(status, 'addresses') as readonly { readonly address: string }[] | undefined)?.map(
              ({ address }) => address,
            ),
          ),
        ],
        ['Pod ranges', list(spec['podCIDRs'])],
        [
          'Allocatable',
          `${text(at(status, 'allocatable', 'cpu'))} CPU, ${text(at(status, 'allocatable', 'memory'))}, ${text(at(status, 'allocatable', 'pods'))} pods`,
        ],
        [
          'Taints',
          list(
            (
              spec['taints'] as
                | readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
                | undefined
            )?.map(({ key, value, effect }) => `${key}${value === undefined ? '' : `=${value}`}:${effect}`),
          ),
        ],
      ]
    case 'Deployment':
    case 'StatefulSet':
    case 'ReplicaSet':
      return [
        [
          'Replicas',
          `${text(status['readyReplicas'] ?? 0)} ready, ${text(status['availableReplicas'] ?? 0)} available, ${text(spec['replicas'] ?? 1)} wanted`,
        ],
        ['Strategy', text(at(spec, 'strategy', 'type') ?? at(spec, 'updateStrategy', 'type'))],
        ['Images', list(imagesOf(spec))],
      ]
    case 'DaemonSet':
      return [
        ['Nodes', `${text(status['numberReady'])} ready of ${text(status['desiredNumberScheduled'])}`],
        ['Images', list(imagesOf(spec))],
      ]
    case 'Job':
      return [
        ['Completions', `${text(status['succeeded'] ?? 0)} of ${text(spec['completions'] ?? 1)}`],
        ['Running', text(status['active'] ?? 0)],
        ['Failed', text(status['failed'] ?? 0)],
        ['Images', list(imagesOf(spec))],
      ]
    case 'CronJob':
      return [
        ['Schedule', text(spec['schedule'])],
        ['Suspended', spec['suspend'] === true ? 'yes' : 'no'],
        ['Last scheduled', text(status['lastScheduleTime'])],
        ['Last success', text(status['lastSuccessfulTime'])],
      ]
    case 'Service':
      return [
        ['Type', text(spec['type'])],
        ['Cluster address', list(spec['clusterIPs'])],
        [
          'External address',
          list(
            (
              at(status, 'loadBalancer', 'ingress') as
                | readonly { readonly ip?: string; readonly hostname?: string }[]
                | undefined
            )?.map(({ ip, hostname }) => ip ?? hostname),
          ),
        ],
        [
          'Ports',
          list(
            (
              spec['ports'] as
                | readonly {
                    readonly port: number
                    readonly targetPort?: unknown
                    readonly protocol?: string
                    readonly nodePort?: number
                  }[]
                | undefined
            )?.map(
              (each) =>
                `${each.port}${each.nodePort === undefined ? '' : `:${each.nodePort}`} to ${text(each.targetPort ?? each.port)}/${each.protocol ?? 'TCP'}`,
            ),
          ),
        ],
      ]
    case 'PersistentVolumeClaim':
      return [
        ['Phase', text(status['phase'])],
        ['Volume', text(spec['volumeName'])],
        ['Class', text(spec['storageClassName'])],
        [
          'Size',
          `${text(at(status, 'capacity', 'storage'))} of ${text(at(spec, 'resources', 'requests', 'storage'))} asked for`,
        ],
        ['Access', list(spec['accessModes'])],
      ]
    case 'Secret':
      return [['Type', text(object['type'])]]
    case 'Ingress':
      return [
        ['Class', text(spec['ingressClassName'])],
        [
          'Hosts',
          list((spec['rules'] as readonly { readonly host?: string }[] | undefined)?.map(({ host }) => host ?? '*')),
        ],
      ]
    default:
      return scalars(spec).slice(0, 8)
  }
}

function imagesOf(spec: Readonly<Record<string, unknown>>): readonly string[] {
  const template = spec['template'] as
    | { readonly spec?: { readonly containers?: readonly { readonly image?: string }[] } }
    | undefined
  return (template?.spec?.containers ?? []).map(({ image = '' }) => image)
}

/** Of kinds that nobody here knows: the plain values of their spec. */
function scalars(spec: Readonly<Record<string, unknown>>): readonly Fact[] {
  return Object.entries(spec).flatMap(([key, value]): readonly Fact[] =>
    ['string', 'number', 'boolean'].includes(typeof value)
      ? [
          [
            key.replaceAll(/([a-z])([A-Z])/g, '$1 $2').replace(/^./, (first) => first.toUpperCase()),
            String(value as string),
          ],
        ]
      : [],
  )
}
