// What a Pod may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { label, labelValue, subdomain } from './words.ts'

export const podExamples: RefusedExamples = {
  kind: 'Pod',
  valid: {
    metadata: { name: 'web' },
    spec: {
      containers: [{ name: 'main', image: 'web:1', resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } } }],
      volumes: [{ name: 'data', emptyDir: {} }],
    },
  },
  create: [
    [{ 'metadata.name': 'Web' }, `metadata.name: Invalid value: "Web": ${subdomain}`],
    [{ 'metadata.name': undefined }, 'metadata.name: Required value: name or generateName is required'],
    [{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`],
    [{ 'spec.containers': [] }, 'spec.containers: Required value'],
    [{ 'spec.containers.0.image': '' }, 'spec.containers[0].image: Required value'],
    [{ 'spec.containers.0.name': 'Main' }, `spec.containers[0].name: Invalid value: "Main": ${label}`],
    [{ 'spec.containers.1': { name: 'main', image: 'x' } }, 'spec.containers[1].name: Duplicate value: "main"'],
    [
      { 'spec.containers.0.imagePullPolicy': 'Sometimes' },
      'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
    ],
    [
      { 'spec.restartPolicy': 'Maybe' },
      'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"',
    ],
    [{ 'spec.dnsPolicy': 'None' }, 'spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    [
      { 'spec.containers.0.ports': [{ containerPort: 70000 }] },
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
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
      { 'spec.containers.0.env': [{ name: 'A=B' }] },
      `spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '='`,
    ],
    [
      {
        'spec.containers.0.env': [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
      },
      'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ],
    [
      {
        'spec.containers.0.env': [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.replicas' } } }],
      },
      'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.replicas": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
    ],
    [
      { 'spec.containers.0.volumeMounts': [{ name: 'nope', mountPath: '/a' }] },
      'spec.containers[0].volumeMounts[0].name: Not found: "nope"',
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
      `spec.containers[0].volumeMounts[0].subPath: Invalid value: "../x": must not contain '..'`,
    ],
    [
      { 'spec.containers.0.resources.requests.cpu': '300m' },
      'spec.containers[0].resources.requests: Invalid value: "300m": must be less than or equal to cpu limit of 200m',
    ],
    [
      { 'spec.containers.0.resources.limits.memory': '-1' },
      [
        'spec.containers[0].resources.limits[memory]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
    [
      { 'spec.containers.0.resources.requests': { 'example.com/gpu': '1' } },
      'spec.containers[0].resources.limits: Invalid value: "": Limit must be set for non overcommitable resources',
    ],
    [
      { 'spec.containers.0.livenessProbe': { httpGet: { port: 80 }, successThreshold: 2 } },
      'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
    ],
    [
      { 'spec.containers.0.livenessProbe': {} },
      'spec.containers[0].livenessProbe: Required value: must specify a handler type',
    ],
    [
      { 'spec.containers.0.readinessProbe': { exec: { command: ['x'] }, tcpSocket: { port: 1 } } },
      'spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
    ],
    [
      {
        'spec.initContainers': [
          {
            name: 'i',
            image: 'x',
            readinessProbe: { exec: { command: ['x'] } },
          },
        ],
      },
      'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
    [
      { 'spec.volumes.0': { name: 'data', emptyDir: {}, hostPath: { path: '/x' } } },
      'spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type',
    ],
    [{ 'spec.volumes.1': { name: 'data', emptyDir: {} } }, 'spec.volumes[1].name: Duplicate value: "data"'],
    [{ 'spec.volumes.1': { name: 's', secret: {} } }, 'spec.volumes[1].secret.secretName: Required value'],
    [
      {
        'spec.volumes.1': {
          name: 't',
          projected: {
            sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 10 } }],
          },
        },
      },
      'spec.volumes[1].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
    ],
    [
      { 'spec.tolerations': [{ operator: 'Equal', value: 'x' }] },
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
    [
      { 'spec.tolerations': [{ key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 5 }] },
      'spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be \'NoExecute\' when `tolerationSeconds` is set',
    ],
    [
      {
        'spec.affinity': {
          podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {} }] },
        },
      },
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty',
    ],
    [
      {
        'spec.affinity': {
          nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, preference: {} }] },
        },
      },
      'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100',
    ],
    [
      {
        'spec.topologySpreadConstraints': [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
      },
      'spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than 0',
    ],
    [
      { 'spec.securityContext': { runAsUser: -1 } },
      'spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive',
    ],
    [
      { 'spec.activeDeadlineSeconds': 0 },
      'spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive',
    ],
    [
      { 'spec.ephemeralContainers': [{ name: 'e', image: 'x' }] },
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    ],
    [
      { 'spec.schedulingGates': [{ name: 'a' }], 'spec.nodeName': 'n1' },
      'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared',
    ],
  ],
  update: [
    [
      { 'spec.containers.0.command': ['sh'] },
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ],
    [
      { 'spec.nodeName': 'n2' },
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ],
    [
      {
        'spec.containers.1': {
          name: 'b',
          image: 'x',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'Always',
        },
      },
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ],
    [
      { 'spec.schedulingGates': [{ name: 'a' }] },
      "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'a'",
    ],
    [{ 'metadata.name': 'other' }, 'metadata.name: Invalid value: "other": field is immutable'],
    [{ 'metadata.uid': 'other' }, 'metadata.uid: Invalid value: "other": field is immutable'],
  ],
}
