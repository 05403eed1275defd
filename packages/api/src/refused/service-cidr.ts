// What a ServiceCIDR may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { cidr, immutable, labelValue } from './words.ts'

const oneOfEach = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'

export const serviceCidrExamples: RefusedExamples = {
  kind: 'ServiceCIDR',
  valid: { metadata: { name: 'a' }, spec: { cidrs: ['10.1.0.0/16'] } },
  create: [
    [{ 'spec.cidrs': undefined }, 'spec.cidrs: Required value: at least one CIDR required'],
    [
      { 'spec.cidrs': ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16'] },
      'spec.cidrs: Invalid value: {"cidrs":["10.1.0.0/16","10.2.0.0/16","10.3.0.0/16"]}: may only hold up to 2 values',
    ],
    [
      { 'spec.cidrs': ['10.1.0.0/16', '10.2.0.0/16'] },
      `spec.cidrs: Invalid value: {"cidrs":["10.1.0.0/16","10.2.0.0/16"]}: ${oneOfEach}`,
    ],
    [{ 'spec.cidrs': ['10.1.0.0'] }, `spec.cidrs[0]: Invalid value: "10.1.0.0": ${cidr}`],
  ],
  update: [
    [{ 'spec.cidrs': ['10.9.0.0/16'] }, `spec.cidrs[0]: Invalid value: "10.9.0.0/16": ${immutable}`],
    [{ 'spec.cidrs': [] }, `spec.cidrs: Invalid value: []: ${immutable}`],
  ],
  status: [[{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`]],
}
