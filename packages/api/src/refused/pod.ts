// What a Pod may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { podContainers } from './pod-containers.ts'
import { podFields } from './pod-fields.ts'
import { podLives } from './pod-lives.ts'
import { podVolumes } from './pod-volumes.ts'
import { address, namePart, subdomain } from './words.ts'

export const podExamples: RefusedExamples = {
  kind: 'Pod',
  valid: {
    metadata: { name: 'web' },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'web:1',
          resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } },
        },
      ],
      volumes: [{ name: 'data', emptyDir: {} }],
    },
  },
  create: [...podFields, ...podContainers, ...podLives, ...podVolumes],
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
      { 'spec.containers.0.image': '' },
      ['spec.containers[0].image: Required value', 'spec.containers[0].image: Required value'],
    ],
    [
      { 'spec.containers.1': { name: 'b', image: 'x' } },
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ],
    [
      { 'spec.initContainers': [{ name: 'b', image: 'x' }] },
      'spec.initContainers: Forbidden: pod updates may not add or remove containers',
    ],
    [{ 'metadata.name': 'other' }, 'metadata.name: Invalid value: "other": field is immutable'],
    [{ 'metadata.uid': 'other' }, 'metadata.uid: Invalid value: "other": field is immutable'],
    [
      { 'spec.activeDeadlineSeconds': 20 },
      'spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value',
      { 'spec.activeDeadlineSeconds': 10 },
    ],
    [
      { 'spec.activeDeadlineSeconds': undefined },
      'spec.activeDeadlineSeconds: Invalid value: "null": must not update from a positive integer to nil value',
      { 'spec.activeDeadlineSeconds': 10 },
    ],
    [
      { 'spec.tolerations': [] },
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
      { 'spec.tolerations': [{ key: 'a', operator: 'Exists' }] },
    ],
    [
      { 'spec.schedulingGates': [{ name: 'a' }] },
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'",
    ],
    [
      { 'spec.nodeSelector': { a: 'c' } },
      'spec.nodeSelector: Invalid value: {"a":"c"}: only additions are allowed (no mutations or deletions)',
      { 'spec.schedulingGates': [{ name: 'a' }], 'spec.nodeSelector': { a: 'b' } },
    ],
    [
      { 'metadata.annotations': {} },
      'metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror pod annotation',
      { 'metadata.annotations': { 'kubernetes.io/config.mirror': 'x' }, 'spec.nodeName': 'n1' },
    ],
    [
      { 'spec.terminationGracePeriodSeconds': 5 },
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ],
    [
      { 'spec.containers.0.resources.limits.cpu': '400m' },
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ],
    [
      { 'metadata.finalizers': ['example.com/new'] },
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/new"}',
      { 'metadata.deletionTimestamp': '2026-01-01T00:00:00Z' },
    ],
  ],
  status: [
    [{ 'status.qosClass': 'Guaranteed' }, 'status.qosClass: Invalid value: "Guaranteed": field is immutable'],
    [{ 'status.podIPs': [{ ip: 'x' }] }, `status.podIPs[0]: Invalid value: "x": ${address}`],
    [
      { 'status.podIPs': [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] },
      'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each IP family',
    ],
    [
      { 'status.hostIPs': [{ ip: '10.0.0.1' }], 'status.hostIP': '10.0.0.2' },
      'status.hostIPs[0].ip: Invalid value: "10.0.0.1": must be equal to `hostIP`',
    ],
    [
      { 'status.conditions': [{ type: 'a b', status: 'True' }] },
      `metadata.conditions[0].Type: Invalid value: "a b": ${namePart}`,
    ],
    [{ 'status.nominatedNodeName': 'A' }, `status.nominatedNodeName: Invalid value: "A": ${subdomain}`],
    [
      {
        'status.containerStatuses': [{ name: 'main', state: { running: {} } }],
      },
      'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
      {
        'spec.restartPolicy': 'Never',
        'status.containerStatuses': [{ name: 'main', state: { terminated: { exitCode: 1 } } }],
      },
    ],
    [
      { 'status.resourceClaimStatuses': [{ name: 'gpu' }] },
      'status.resourceClaimStatuses[0].name: Invalid value: "gpu": must match the name of an entry in `spec.resourceClaims`',
    ],
  ],
  through: {
    ephemeralcontainers: [
      [
        {
          'spec.ephemeralContainers': [
            { name: 'main', image: 'x', imagePullPolicy: 'Always', terminationMessagePolicy: 'File' },
          ],
        },
        'spec.ephemeralContainers[0].name: Duplicate value: "main"',
      ],
      [
        {
          'spec.ephemeralContainers': [
            {
              name: 'e',
              image: 'x',
              imagePullPolicy: 'Always',
              terminationMessagePolicy: 'File',
              targetContainerName: 'other',
            },
          ],
        },
        'spec.ephemeralContainers[0].targetContainerName: Not found: "other"',
      ],
      [
        {
          'spec.ephemeralContainers': [
            {
              name: 'e',
              image: 'x',
              imagePullPolicy: 'Always',
              terminationMessagePolicy: 'File',
              ports: [{ containerPort: 80, protocol: 'TCP' }],
              resources: { limits: { cpu: '1' } },
            },
          ],
        },
        [
          'spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container',
          'spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container',
        ],
      ],
      [
        {
          'spec.ephemeralContainers': [
            {
              name: 'e',
              image: 'x',
              imagePullPolicy: 'Always',
              terminationMessagePolicy: 'File',
              volumeMounts: [{ name: 'data', mountPath: '/a', subPath: 'b' }],
            },
          ],
        },
        'spec.ephemeralContainers[0].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container',
      ],
      [
        { 'spec.ephemeralContainers': [] },
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed\n',
        {
          'spec.ephemeralContainers': [
            {
              name: 'e',
              image: 'x',
              imagePullPolicy: 'Always',
              terminationMessagePolicy: 'File',
              terminationMessagePath: '/a',
            },
          ],
        },
      ],
      [
        { 'spec.ephemeralContainers.0.image': 'y' },
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be changed\n',
        {
          'spec.ephemeralContainers': [
            {
              name: 'e',
              image: 'x',
              imagePullPolicy: 'Always',
              terminationMessagePolicy: 'File',
              terminationMessagePath: '/a',
            },
          ],
        },
      ],
    ],
    resize: [
      [
        {
          'spec.containers.0.resources': { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } },
        },
        'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
      ],
      [
        { 'spec.containers.0.resources.limits': {} },
        'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
      ],
      [
        { 'spec.containers.0.resizePolicy': [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] },
        'spec: Forbidden: only cpu and memory resources are mutable',
      ],
      [
        {
          'spec.containers.0.resources.limits.ephemeral-storage': '1Gi',
          'spec.containers.0.resources.requests.ephemeral-storage': '1Gi',
        },
        'spec: Forbidden: only cpu and memory resources are mutable',
      ],
      [
        { 'spec.containers.0.resources.limits.cpu': '300m' },
        '[]: Forbidden: pods with pod-level resources cannot be resized',
        { 'spec.resources': { requests: { cpu: '1' } } },
      ],
      [
        { 'spec.containers.0.resources.limits.cpu': '300m' },
        '[]: Forbidden: windows pods cannot be resized',
        { 'spec.os': { name: 'windows' } },
      ],
    ],
  },
}
