// What a pod as a whole may not say, each by an example with upstream's words.

import type { Refusal } from './examples.ts'
import { address, label, labelValue, namePart, nonNegative, subdomain } from './words.ts'

export const podFields: readonly Refusal[] = [
  [{ 'metadata.name': 'Web' }, `metadata.name: Invalid value: "Web": ${subdomain}`],
  [{ 'metadata.name': undefined }, 'metadata.name: Required value: name or generateName is required'],
  [{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`],
  [{ 'metadata.labels': { 'a b': 'c' } }, `metadata.labels: Invalid value: "a b": ${namePart}`],
  [{ 'metadata.annotations': { 'a b': 'c' } }, `metadata.annotations: Invalid value: "a b": ${namePart}`],
  [{ 'metadata.generateName': 'A' }, `metadata.generateName: Invalid value: "A": ${subdomain}`],
  [
    { 'metadata.finalizers': ['mine'] },
    'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
  ],
  [
    { 'metadata.annotations': { 'kubernetes.io/config.mirror': 'x' } },
    'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set',
  ],
  [
    {
      'metadata.annotations': { 'container.apparmor.security.beta.kubernetes.io/other': 'runtime/default' },
    },
    'metadata.annotations[container.apparmor.security.beta.kubernetes.io/other]: Invalid value: "other": container not found',
  ],
  [
    { 'metadata.annotations': { 'controller.kubernetes.io/pod-deletion-cost': 'much' } },
    'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "much": must be a 32bit integer',
  ],
  [
    { 'metadata.annotations': { 'seccomp.security.alpha.kubernetes.io/pod': 'mine' } },
    'metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "mine": must be a valid seccomp profile',
  ],
  [
    {
      'metadata.annotations': { 'container.apparmor.security.beta.kubernetes.io/main': 'unconfined' },
      'spec.containers.0.securityContext': { appArmorProfile: { type: 'RuntimeDefault' } },
    },
    'spec.containers[0].securityContext.appArmorProfile.type: Forbidden: apparmor type in annotation and field must match',
  ],
  [
    { 'spec.restartPolicy': 'Maybe' },
    'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"',
  ],
  [
    { 'spec.dnsPolicy': 'Mine' },
    'spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
  ],
  [{ 'spec.dnsPolicy': 'None' }, 'spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
  [
    { 'spec.dnsPolicy': 'None', 'spec.dnsConfig': {} },
    'spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None',
  ],
  [{ 'spec.dnsConfig': { nameservers: ['a'] } }, `spec.dnsConfig.nameservers[0]: Invalid value: "a": ${address}`],
  [
    { 'spec.dnsConfig': { nameservers: ['1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4'] } },
    'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]: must not have more than 3 nameservers',
  ],
  [
    { 'spec.dnsConfig': { searches: ['A'] } },
    `spec.dnsConfig.searches[0]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*')`,
  ],
  [{ 'spec.dnsConfig': { options: [{}] } }, 'spec.dnsConfig.options[0]: Required value: must not be empty'],
  [
    { 'spec.tolerations': [{ operator: 'Equal', value: 'x' }] },
    'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
  ],
  [
    {
      'spec.tolerations': [{ key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 5 }],
    },
    'spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be \'NoExecute\' when `tolerationSeconds` is set',
  ],
  [
    { 'spec.tolerations': [{ key: 'a', operator: 'Exists', value: 'b' }] },
    'spec.tolerations[0].operator: Invalid value: "b": value must be empty when `operator` is \'Exists\'',
  ],
  [
    { 'spec.tolerations': [{ key: 'a', operator: 'Near' }] },
    'spec.tolerations[0].operator: Unsupported value: "Near": supported values: "Equal", "Exists"',
  ],
  [
    { 'spec.tolerations': [{ key: 'a', operator: 'Exists', effect: 'Never' }] },
    'spec.tolerations[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
  ],
  [
    {
      'spec.affinity': {
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {} }] },
      },
    },
    [
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty',
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty',
      `spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": ${namePart}`,
    ],
  ],
  [
    {
      'spec.affinity': {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', matchLabelKeys: ['a'] }],
        },
      },
    },
    'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set',
  ],
  [
    {
      'spec.affinity': {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, podAffinityTerm: { topologyKey: 'zone' } }],
        },
      },
    },
    'spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100',
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
      'spec.affinity': { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
    },
    'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
  ],
  [
    {
      'spec.affinity': {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }],
          },
        },
      },
    },
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
  ],
  [
    {
      'spec.affinity': {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchFields: [{ key: 'spec.x', operator: 'In', values: ['a'] }],
              },
            ],
          },
        },
      },
    },
    'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "spec.x": not a valid field selector key',
  ],
  [
    {
      'spec.topologySpreadConstraints': [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
    },
    'spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero',
  ],
  [
    {
      'spec.topologySpreadConstraints': [{ maxSkew: 1, topologyKey: '', whenUnsatisfiable: 'DoNotSchedule' }],
    },
    'spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty',
  ],
  [
    {
      'spec.topologySpreadConstraints': [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'Never' }],
    },
    'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", "ScheduleAnyway"',
  ],
  [
    {
      'spec.topologySpreadConstraints': [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', minDomains: 2 },
      ],
    },
    'spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway',
  ],
  [
    {
      'spec.topologySpreadConstraints': [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', nodeTaintsPolicy: 'Mind' },
      ],
    },
    'spec.topologySpreadConstraints[0].nodeTaintsPolicy: Unsupported value: "Mind": supported values: "Honor", "Ignore"',
  ],
  [
    {
      'spec.topologySpreadConstraints': [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
        { maxSkew: 2, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
      ],
    },
    'spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"',
  ],
  [
    {
      'spec.topologySpreadConstraints': [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', matchLabelKeys: ['a'] },
      ],
    },
    'spec.topologySpreadConstraints[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set',
  ],
  [
    { 'spec.securityContext': { runAsUser: -1 } },
    'spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive',
  ],
  [
    { 'spec.securityContext': { fsGroup: -1 } },
    'spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive',
  ],
  [
    { 'spec.securityContext': { supplementalGroups: [-1] } },
    'spec.securityContext.supplementalGroups[0]: Invalid value: -1: must be between 0 and 2147483647, inclusive',
  ],
  [
    {
      'spec.securityContext': { sysctls: [{ name: 'A', value: '1' }] },
    },
    'spec.securityContext.sysctls[0].name: Invalid value: "A": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
  ],
  [
    {
      'spec.securityContext': {
        sysctls: [
          { name: 'net.a', value: '1' },
          { name: 'net.a', value: '2' },
        ],
      },
    },
    'spec.securityContext.sysctls[1].name: Duplicate value: "net.a"',
  ],
  [
    {
      'spec.securityContext': { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] },
      'spec.hostNetwork': true,
    },
    `spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.tcp_syncookies": may not be specified when 'hostNetwork' is true`,
  ],
  [
    { 'spec.securityContext': { fsGroupChangePolicy: 'Never' } },
    'spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"',
  ],
  [
    { 'spec.securityContext': { supplementalGroupsPolicy: 'All' } },
    'spec.securityContext.supplementalGroupsPolicy: Unsupported value: "All": supported values: "Merge", "Strict"',
  ],
  [
    { 'spec.securityContext': { seccompProfile: { type: 'Mine' } } },
    'spec.securityContext.seccompProfile.type: Unsupported value: "Mine": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
  ],
  [
    { 'spec.shareProcessNamespace': true, 'spec.hostPID': true },
    'spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
  ],
  [{ 'spec.hostUsers': false, 'spec.hostPID': true }, 'spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false'],
  [
    { 'spec.activeDeadlineSeconds': 0 },
    'spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive',
  ],
  [{ 'spec.hostname': 'A' }, `spec.hostname: Invalid value: "A": ${label}`],
  [{ 'spec.subdomain': 'a.b' }, `spec.subdomain: Invalid value: "a.b": ${label}`],
  [{ 'spec.hostnameOverride': 'A' }, `spec.hostnameOverride: Invalid value: "A": ${subdomain}`],
  [
    { 'spec.hostnameOverride': 'a', 'spec.hostNetwork': true },
    'spec.hostnameOverride: Forbidden: may not be set when `hostNetwork` is true',
  ],
  [
    { 'spec.hostnameOverride': 'a', 'spec.setHostnameAsFQDN': true },
    'spec.setHostnameAsFQDN: Forbidden: may not be set when `hostnameOverride` is set',
  ],
  [{ 'spec.serviceAccountName': 'A' }, `spec.serviceAccountName: Invalid value: "A": ${subdomain}`],
  [{ 'spec.nodeName': 'A' }, `spec.nodeName: Invalid value: "A": ${subdomain}`],
  [{ 'spec.priorityClassName': 'A' }, `spec.priorityClassName: Invalid value: "A": ${subdomain}`],
  [{ 'spec.runtimeClassName': 'A' }, `spec.runtimeClassName: Invalid value: "A": ${subdomain}`],
  [
    { 'spec.preemptionPolicy': 'Always' },
    'spec.preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"',
  ],
  [{ 'spec.overhead': { cpu: '-1' } }, `spec.overhead[cpu]: Invalid value: "-1": ${nonNegative}`],
  [
    {
      'spec.hostAliases': [{ ip: 'x', hostnames: ['A'] }],
    },
    [
      `spec.hostAliases[0].ip: Invalid value: "x": ${address}`,
      `spec.hostAliases[0].hostnames[0]: Invalid value: "A": ${subdomain}`,
    ],
  ],
  [{ 'spec.nodeSelector': { a: 'b c' } }, `spec.nodeSelector: Invalid value: "b c": ${labelValue}`],
  [
    { 'spec.readinessGates': [{ conditionType: 'a b' }] },
    `spec.readinessGates[0].conditionType: Invalid value: "a b": ${namePart}`,
  ],
  [{ 'spec.schedulingGates': [{ name: 'a b' }] }, `spec.schedulingGates[0]: Invalid value: "a b": ${namePart}`],
  [{ 'spec.schedulingGates': [{ name: 'a' }, { name: 'a' }] }, 'spec.schedulingGates[1]: Duplicate value: "a"'],
  [
    { 'spec.schedulingGates': [{ name: 'a' }], 'spec.nodeName': 'n1' },
    'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared',
  ],
  [
    { 'spec.resourceClaims': [{ name: 'a' }] },
    'spec.resourceClaims[0]: Invalid value: {"name":"a"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
  ],
  [
    { 'spec.resourceClaims': [{ name: 'a', resourceClaimName: 'b', resourceClaimTemplateName: 'c' }] },
    'spec.resourceClaims[0]: Invalid value: {"name":"a","resourceClaimName":"b","resourceClaimTemplateName":"c"}: at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified',
  ],
  [
    { 'spec.resourceClaims': [{ name: 'A', resourceClaimName: 'b' }] },
    `spec.resourceClaims[0].name: Invalid value: "A": ${label}`,
  ],
  [
    { 'spec.resources': { requests: { cpu: '50m' } } },
    'spec.resources.requests[cpu]: Invalid value: "50m": must be greater than or equal to aggregate container requests of 100m',
  ],
  [
    { 'spec.resources': { limits: { cpu: '150m' } } },
    [
      'spec.resources.requests[cpu]: Invalid value: "0": must be greater than or equal to aggregate container requests of 100m',
      'spec.resources.containers[0][cpu].limits: Invalid value: "200m": must be less than or equal to pod limits of 150m',
    ],
  ],
  [
    { 'spec.resources': { requests: { cpu: '2' }, limits: { cpu: '1' } } },
    'spec.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
  ],
  [
    { 'spec.resources': { limits: { 'example.com/gpu': '1' } } },
    'spec.resources.limits[example.com/gpu]: Unsupported value: "example.com/gpu": supported values: "cpu", "memory"',
  ],
  [
    {
      'spec.resources': { claims: [{ name: 'a' }] },
    },
    'spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level',
  ],
  [{ 'spec.os': { name: 'plan9' } }, 'spec.os.name: Unsupported value: "plan9": supported values: "linux", "windows"'],
  [{ 'spec.os': { name: '' } }, 'spec.os.name: Required value'],
  [
    { 'spec.os': { name: 'windows' }, 'spec.hostPID': true, 'spec.securityContext': { fsGroup: 1 } },
    [
      'spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod',
      'spec.hostPID: Forbidden: cannot be set for a windows pod',
    ],
  ],
  [
    { 'spec.os': { name: 'windows' }, 'spec.containers.0.securityContext': { privileged: true } },
    'spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod',
  ],
  [
    {
      'spec.os': { name: 'linux' },
      'spec.containers.0.securityContext': { windowsOptions: { runAsUserName: 'a' } },
    },
    'spec.containers[0].securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod',
  ],
]
