// How the containers of a pod may not be run, each by an example with upstream's words.

import type { Refusal } from './examples.ts'
import { nonNegative } from './words.ts'

export const podLives: readonly Refusal[] = [
  [
    { 'spec.containers.0.resizePolicy': [{ resourceName: 'disk', restartPolicy: 'NotRequired' }] },
    'spec.containers[0].resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"',
  ],
  [
    { 'spec.containers.0.resizePolicy': [{ resourceName: 'cpu', restartPolicy: 'Maybe' }] },
    'spec.containers[0].resizePolicy: Unsupported value: "Maybe": supported values: "NotRequired", "RestartContainer"',
  ],
  [
    {
      'spec.restartPolicy': 'Never',
      'spec.containers.0.resizePolicy': [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }],
    },
    "spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'",
  ],
  [
    {
      'spec.containers.0.resizePolicy': [
        { resourceName: 'cpu', restartPolicy: 'NotRequired' },
        { resourceName: 'cpu', restartPolicy: 'NotRequired' },
      ],
    },
    'spec.containers[0].resizePolicy[1]: Duplicate value: "cpu"',
  ],
  [
    { 'spec.containers.0.restartPolicy': 'Sometimes' },
    'spec.containers[0].restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
  ],
  [
    {
      'spec.containers.0.restartPolicyRules': [{ action: 'Restart', exitCodes: { operator: 'In', values: [1] } }],
    },
    'spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used',
  ],
  [
    {
      'spec.containers.0.restartPolicy': 'Never',
      'spec.containers.0.restartPolicyRules': [{ action: 'Wait' }],
    },
    [
      'spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified',
      'spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Wait": supported values: "Restart"',
    ],
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
    { 'spec.containers.0.startupProbe': { exec: { command: [] } } },
    'spec.containers[0].startupProbe.exec.command: Required value',
  ],
  [
    { 'spec.containers.0.readinessProbe': { exec: { command: ['x'] }, tcpSocket: { port: 1 } } },
    'spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
  ],
  [
    {
      'spec.containers.0.readinessProbe': { exec: { command: ['x'] }, terminationGracePeriodSeconds: 1 },
    },
    'spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes',
  ],
  [
    {
      'spec.containers.0.livenessProbe': { exec: { command: ['x'] }, terminationGracePeriodSeconds: 0 },
    },
    'spec.containers[0].livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0',
  ],
  [
    {
      'spec.containers.0.livenessProbe': { exec: { command: ['x'] }, periodSeconds: -1 },
    },
    `spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: ${nonNegative}`,
  ],
  [
    { 'spec.containers.0.livenessProbe': { httpGet: { port: 0 } } },
    'spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive',
  ],
  [
    { 'spec.containers.0.livenessProbe': { httpGet: { port: 80, scheme: 'FTP' } } },
    'spec.containers[0].livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
  ],
  [
    {
      'spec.containers.0.livenessProbe': {
        httpGet: { port: 80, httpHeaders: [{ name: 'A B', value: '' }] },
      },
    },
    `spec.containers[0].livenessProbe.httpGet.httpHeaders: Invalid value: "A B": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
  ],
  [
    { 'spec.containers.0.livenessProbe': { tcpSocket: { port: 'a--b' } } },
    'spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "a--b": must not contain consecutive hyphens',
  ],
  [
    { 'spec.containers.0.livenessProbe': { grpc: { port: 0 } } },
    'spec.containers[0].livenessProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive',
  ],
  [
    {
      'spec.containers.0.lifecycle': { preStop: { sleep: { seconds: 31 } } },
    },
    'spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)',
  ],
  [
    { 'spec.containers.0.lifecycle': { postStart: {} } },
    'spec.containers[0].lifecycle.postStart: Required value: must specify a handler type',
  ],
  [
    { 'spec.containers.0.lifecycle.preStop': { exec: { command: ['x'] }, httpGet: { port: 1 } } },
    'spec.containers[0].lifecycle.preStop.httpGet: Forbidden: may not specify more than 1 handler type',
  ],
  [
    { 'spec.containers.0.securityContext': { runAsUser: -1 } },
    'spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive',
  ],
  [
    { 'spec.containers.0.securityContext': { runAsGroup: 2147483648 } },
    'spec.containers[0].securityContext.runAsGroup: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive',
  ],
  [
    { 'spec.containers.0.securityContext': { procMount: 'Unmasked' } },
    'spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
  ],
  [
    { 'spec.containers.0.securityContext': { procMount: 'Half' } },
    'spec.containers[0].securityContext.procMount: Unsupported value: "Half": supported values: "Default", "Unmasked"',
  ],
  [
    { 'spec.containers.0.securityContext': { privileged: true, allowPrivilegeEscalation: false } },
    'spec.containers[0].securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
  ],
  [
    {
      'spec.containers.0.securityContext': {
        allowPrivilegeEscalation: false,
        capabilities: { add: ['CAP_SYS_ADMIN'] },
      },
    },
    'spec.containers[0].securityContext: Invalid value: {"capabilities":{"add":["CAP_SYS_ADMIN"]},"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
  ],
  [
    { 'spec.containers.0.securityContext': { seccompProfile: { type: 'Localhost' } } },
    'spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost',
  ],
  [
    {
      'spec.containers.0.securityContext': { seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'a' } },
    },
    'spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: {"type":"RuntimeDefault","localhostProfile":"a"}: can only be set when seccomp type is Localhost',
  ],
  [
    { 'spec.containers.0.securityContext': { appArmorProfile: { type: 'Localhost' } } },
    'spec.containers[0].securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost',
  ],
  [
    { 'spec.containers.0.securityContext': { appArmorProfile: { type: 'Mine' } } },
    'spec.containers[0].securityContext.appArmorProfile.type: Unsupported value: "Mine": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
  ],
  [
    { 'spec.containers.0.securityContext': { windowsOptions: { runAsUserName: '' } } },
    'spec.containers[0].securityContext.windowsOptions.runAsUserName: Invalid value: "": runAsUserName cannot be an empty string',
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
  [{ 'spec.initContainers': [{ name: 'main', image: 'x' }] }, 'spec.initContainers[0].name: Duplicate value: "main"'],
  [
    {
      'spec.initContainers': [
        {
          name: 'i',
          image: 'x',
          lifecycle: {
            preStop: { exec: { command: ['x'] } },
          },
        },
      ],
    },
    'spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always',
  ],
  [
    { 'spec.initContainers': [{ name: 'i', image: 'x', restartPolicy: 'Sometimes' }] },
    'spec.initContainers[0].restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
  ],
  [
    { 'spec.ephemeralContainers': [{ name: 'e', image: 'x' }] },
    'spec.ephemeralContainers: Forbidden: cannot be set on create',
  ],
]
