// What a ResourceClaim and its template may not say or change, each by an example with upstream's words.

import type { Refusal, RefusedExamples } from './examples.ts'
import { immutable, label } from './words.ts'

const request = { name: 'gpu', exactly: { deviceClassName: 'gpu' } }
const mustExist =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

function ofDevices(spec: string): readonly Refusal[] {
  const requests = `${spec}.devices.requests`
  const at = `${requests}[0]`
  return [
    [{ [`${requests}.0.name`]: 'G' }, `${at}.name: Invalid value: "G": ${label}`],
    [
      { [`${requests}.0.exactly`]: undefined },
      `${at}: Required value: exactly one of \`exactly\` or \`firstAvailable\` is required`,
    ],
    [
      { [`${requests}.0.firstAvailable`]: [{ name: 'a', deviceClassName: 'b' }] },
      `${at}: Invalid value: "null": exactly one of \`exactly\` or \`firstAvailable\` is required, but multiple fields are set`,
    ],
    [{ [`${requests}.0.exactly.deviceClassName`]: '' }, `${at}.exactly.deviceClassName: Required value`],
    [
      { [`${requests}.0.exactly.allocationMode`]: 'Some' },
      `${at}.exactly.allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount"`,
    ],
    [{ [`${requests}.0.exactly.count`]: -1 }, `${at}.exactly.count: Invalid value: -1: must be greater than zero`],
    [
      { [`${requests}.0.exactly.allocationMode`]: 'All', [`${requests}.0.exactly.count`]: 2 },
      `${at}.exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'`,
    ],
    [{ [`${requests}.1`]: request }, `${requests}[1]: Duplicate value: "gpu"`],
    [
      { [`${spec}.devices.constraints`]: [{ requests: ['other'], matchAttribute: 'a.example.com/model' }] },
      `${spec}.devices.constraints[0].requests[0]: Invalid value: "other": ${mustExist}`,
    ],
    [
      { [`${spec}.devices.constraints`]: [{ matchAttribute: 'model' }] },
      `${spec}.devices.constraints[0].matchAttribute: Invalid value: "model": a fully qualified name must be a domain and a name separated by a slash`,
    ],
    [{ [`${spec}.devices.constraints`]: [{}] }, `${spec}.devices.constraints[0].matchAttribute: Required value`],
    [{ [`${spec}.devices.config`]: [{}] }, `${spec}.devices.config[0].opaque: Required value`],
  ]
}

const allocation = { devices: { results: [{ request: 'gpu', driver: 'd.example.com', pool: 'n1', device: 'gpu-0' }] } }
const frozenClaim =
  '{"devices":{"requests":[{"name":"gpu","exactly":{"deviceClassName":"other","allocationMode":"ExactCount","count":1}}]}}'

export const resourceClaimExamples: RefusedExamples = {
  kind: 'ResourceClaim',
  valid: { metadata: { name: 'a' }, spec: { devices: { requests: [request] } } },
  create: ofDevices('spec'),
  update: [
    [
      { 'spec.devices.requests.0.exactly.deviceClassName': 'other' },
      `spec: Invalid value: ${frozenClaim}: ${immutable}`,
    ],
  ],
  status: [
    [
      { 'status.reservedFor': [{ resource: 'pods', name: 'p', uid: 'u' }] },
      'status.reservedFor: Forbidden: may not be specified when `allocated` is not set',
    ],
    [
      { 'status.allocation': allocation, 'status.reservedFor': [{ resource: 'pods', name: 'p', uid: '' }] },
      'status.reservedFor[0].uid: Required value',
    ],
    [
      { 'status.allocation': { devices: { results: [{ ...allocation.devices.results[0], request: 'other' }] } } },
      `status.allocation.devices.results[0].request: Invalid value: "other": ${mustExist}`,
    ],
    [
      { 'status.allocation.devices.results.0.device': 'gpu-1' },
      `status.allocation: Invalid value: {"devices":{"results":[{"request":"gpu","driver":"d.example.com","pool":"n1","device":"gpu-1"}]}}: ${immutable}`,
      { 'status.allocation': allocation },
    ],
    [
      { 'status.devices': [{ driver: 'd.example.com', pool: 'n1', device: 'gpu-9', conditions: [] }] },
      'status.devices[0]: Invalid value: "d.example.com/n1/gpu-9": must be an allocated device in the claim',
      { 'status.allocation': allocation },
    ],
  ],
}

export const resourceClaimTemplateExamples: RefusedExamples = {
  kind: 'ResourceClaimTemplate',
  valid: { metadata: { name: 'a' }, spec: { spec: { devices: { requests: [request] } } } },
  create: ofDevices('spec.spec'),
  update: [
    [
      { 'spec.spec.devices.requests.0.exactly.deviceClassName': 'other' },
      `spec: Invalid value: {"metadata":{},"spec":${frozenClaim}}: ${immutable}`,
    ],
  ],
}
