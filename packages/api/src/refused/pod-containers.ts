// What the containers of a pod may not say, each by an example with upstream's words.

import type { Refusal } from './examples.ts'
import { configKey, label, nonNegative, subdomain } from './words.ts'

export const podContainers: readonly Refusal[] = [
  [{ 'spec.containers': [] }, 'spec.containers: Required value'],
  [{ 'spec.containers.0.image': '' }, 'spec.containers[0].image: Required value'],
  [
    { 'spec.containers.0.image': ' web' },
    'spec.containers[0].image: Invalid value: " web": must not have leading or trailing whitespace',
  ],
  [{ 'spec.containers.0.name': '' }, 'spec.containers[0].name: Required value'],
  [{ 'spec.containers.0.name': 'Main' }, `spec.containers[0].name: Invalid value: "Main": ${label}`],
  [{ 'spec.containers.1': { name: 'main', image: 'x' } }, 'spec.containers[1].name: Duplicate value: "main"'],
  [
    { 'spec.containers.0.imagePullPolicy': 'Sometimes' },
    'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
  ],
  [
    { 'spec.containers.0.terminationMessagePolicy': 'Stdout' },
    'spec.containers[0].terminationMessagePolicy: Unsupported value: "Stdout": supported values: "File", "FallbackToLogsOnError"',
  ],
  [
    { 'spec.containers.0.ports': [{ containerPort: 70000 }] },
    'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ],
  [{ 'spec.containers.0.ports': [{ containerPort: 0 }] }, 'spec.containers[0].ports[0].containerPort: Required value'],
  [
    { 'spec.containers.0.ports': [{ containerPort: 80, hostPort: 70000 }] },
    'spec.containers[0].ports[0].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ],
  [
    { 'spec.containers.0.ports': [{ containerPort: 80, protocol: 'HTTP' }] },
    'spec.containers[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
  ],
  [
    {
      'spec.containers.0.ports': [
        { containerPort: 80, name: 'a' },
        { containerPort: 81, name: 'a' },
      ],
    },
    'spec.containers[0].ports[1].name: Duplicate value: "a"',
  ],
  [
    { 'spec.containers.0.ports': [{ containerPort: 80, name: 'A--' }] },
    [
      'spec.containers[0].ports[0].name: Invalid value: "A--": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      'spec.containers[0].ports[0].name: Invalid value: "A--": must contain at least one letter (a-z)',
      'spec.containers[0].ports[0].name: Invalid value: "A--": must not contain consecutive hyphens',
      'spec.containers[0].ports[0].name: Invalid value: "A--": must not begin or end with a hyphen',
    ],
  ],
  [
    {
      'spec.containers.0.ports': [
        { containerPort: 80, hostPort: 8 },
        { containerPort: 81, hostPort: 8 },
      ],
    },
    'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//8"',
  ],
  [
    { 'spec.hostNetwork': true, 'spec.containers.0.ports': [{ containerPort: 80, hostPort: 81 }] },
    'spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true',
  ],
  [
    { 'spec.containers.0.env': [{ name: 'A=B' }] },
    `spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '='`,
  ],
  [{ 'spec.containers.0.env': [{ name: '' }] }, 'spec.containers[0].env[0].name: Required value'],
  [
    {
      'spec.containers.0.env': [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    },
    'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
  ],
  [
    { 'spec.containers.0.env': [{ name: 'A', valueFrom: {} }] },
    'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
  ],
  [
    {
      'spec.containers.0.env': [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.replicas' } } }],
    },
    'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.replicas": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
  ],
  [
    {
      'spec.containers.0.env': [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'kind' } } }],
    },
    'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "kind": error converting fieldPath: field label not supported: kind',
  ],
  [
    {
      'spec.containers.0.env': [{ name: 'A', valueFrom: { fieldRef: { fieldPath: "spec.nodeName['a']" } } }],
    },
    'spec.containers[0].env[0].valueFrom.fieldRef: Invalid value: "spec.nodeName": does not support subscript',
  ],
  [
    {
      'spec.containers.0.env': [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.gpu' } } }],
    },
    'spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"',
  ],
  [
    {
      'spec.containers.0.env': [
        { name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '2' } } },
      ],
    },
    `spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
  ],
  [
    {
      'spec.containers.0.env': [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: '' } } }],
    },
    'spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value',
  ],
  [
    {
      'spec.containers.0.env': [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'A', key: 'a b' } } }],
    },
    [
      `spec.containers[0].env[0].valueFrom.configMapKeyRef.name: Invalid value: "A": ${subdomain}`,
      `spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Invalid value: "a b": ${configKey}`,
    ],
  ],
  [
    {
      'spec.containers.0.env': [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: '', path: '/a', key: 'a' } } }],
    },
    [
      'spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Required value',
      'spec.containers[0].env[0].valueFrom.fileKeyRef.path: Invalid value: "/a": must be a relative path',
    ],
  ],
  [
    { 'spec.containers.0.envFrom': [{}] },
    'spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
  ],
  [
    {
      'spec.containers.0.envFrom': [{ configMapRef: { name: 'a' }, secretRef: { name: 'b' } }],
    },
    'spec.containers[0].envFrom: Invalid value: "": may not have more than one field specified at a time',
  ],
  [
    {
      'spec.containers.0.envFrom': [{ secretRef: { name: '' } }],
    },
    'spec.containers[0].envFrom[0].secretRef.name: Required value',
  ],
  [
    {
      'spec.containers.0.envFrom': [{ prefix: '=', secretRef: { name: 'a' } }],
    },
    `spec.containers[0].envFrom[0].prefix: Invalid value: "=": a valid environment variable name must consist only of printable ASCII characters other than '='`,
  ],
  [
    { 'spec.containers.0.volumeMounts': [{ name: 'nope', mountPath: '/a' }] },
    'spec.containers[0].volumeMounts[0].name: Not found: "nope"',
  ],
  [
    { 'spec.containers.0.volumeMounts': [{ name: 'data', mountPath: '' }] },
    'spec.containers[0].volumeMounts[0].mountPath: Required value',
  ],
  [
    {
      'spec.containers.0.volumeMounts': [
        { name: 'data', mountPath: '/a' },
        { name: 'data', mountPath: '/a' },
      ],
    },
    'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
  ],
  [
    { 'spec.containers.0.volumeMounts': [{ name: 'data', mountPath: '/a', subPath: '../x' }] },
    `spec.containers[0].volumeMounts.subPath: Invalid value: "../x": must not contain '..'`,
  ],
  [
    { 'spec.containers.0.volumeMounts': [{ name: 'data', mountPath: '/a', subPath: '/x' }] },
    'spec.containers[0].volumeMounts.subPath: Invalid value: "/x": must be a relative path',
  ],
  [
    {
      'spec.containers.0.volumeMounts': [{ name: 'data', mountPath: '/a', subPath: 'x', subPathExpr: 'y' }],
    },
    'spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "y": subPathExpr and subPath are mutually exclusive',
  ],
  [
    { 'spec.containers.0.volumeMounts': [{ name: 'data', mountPath: '/a', mountPropagation: 'Up' }] },
    'spec.containers[0].volumeMounts.mountPropagation: Unsupported value: "Up": supported values: "Bidirectional", "HostToContainer", "None"',
  ],
  [
    {
      'spec.containers.0.volumeMounts': [{ name: 'data', mountPath: '/a', mountPropagation: 'Bidirectional' }],
    },
    'spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers',
  ],
  [
    {
      'spec.containers.0.volumeMounts': [{ name: 'data', mountPath: '/a', recursiveReadOnly: 'Enabled' }],
    },
    'spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true',
  ],
  [
    { 'spec.containers.0.volumeDevices': [{ name: 'data', devicePath: '/dev/a' }] },
    'spec.containers[0].volumeDevices[0].name: Invalid value: "data": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
  ],
  [
    {
      'spec.volumes.1': { name: 'v', persistentVolumeClaim: { claimName: 'c' } },
      'spec.containers.0.volumeDevices': [{ name: 'v', devicePath: '../a' }],
      'spec.containers.0.volumeMounts': [{ name: 'v', mountPath: '/m' }],
    },
    [
      'spec.containers[0].volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices',
      `spec.containers[0].volumeDevices[0].devicePath: Invalid value: "../a": can not contain backsteps ('..')`,
      'spec.containers[0].volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts',
    ],
  ],
  [
    { 'spec.containers.0.resources.requests.cpu': '300m' },
    'spec.containers[0].resources.requests: Invalid value: "300m": must be less than or equal to cpu limit of 200m',
  ],
  [
    { 'spec.containers.0.resources.limits.memory': '-1' },
    [
      `spec.containers[0].resources.limits[memory]: Invalid value: "-1": ${nonNegative}`,
      `spec.containers[0].resources.requests[memory]: Invalid value: "-1": ${nonNegative}`,
    ],
  ],
  [
    { 'spec.containers.0.resources.requests': { gpu: '1' } },
    [
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
    ],
  ],
  [
    { 'spec.containers.0.resources.requests': { 'example.com/gpu': '1' } },
    'spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources',
  ],
  [
    { 'spec.containers.0.resources': { limits: { 'example.com/gpu': '1500m' } } },
    [
      'spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "1500m": must be an integer',
      'spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer',
    ],
  ],
  [
    {
      'spec.containers.0.resources': { limits: { 'example.com/gpu': '2' }, requests: { 'example.com/gpu': '1' } },
    },
    'spec.containers[0].resources.requests: Invalid value: "1": must be equal to example.com/gpu limit of 2',
  ],
  [
    { 'spec.containers.0.resources': { limits: { 'hugepages-2Mi': '4Mi' } } },
    'spec.containers[0].resources: Forbidden: HugePages require cpu or memory',
  ],
  [
    { 'spec.containers.0.resources.claims': [{ name: 'gpu' }] },
    'spec.containers[0].resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is empty',
  ],
]
