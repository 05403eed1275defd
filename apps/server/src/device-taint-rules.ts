// Whether a cluster serves DeviceTaintRules, in which version, and lets them act: both are off unless they are switched on.

import { featureGatesOf } from '@aksel/api/feature-gates'
import type { DeviceTaintRule } from '@aksel/api/kinds/device-taint-rule'
import type { ResourceType } from '@aksel/api/resource'
import { deviceTaintRules } from '@aksel/api/resources'
import { isOffered } from '@aksel/api/served-versions'
import { minorOf } from '@aksel/apiserver/catalogs'
import type { ClusterRecord } from './cluster-record.ts'

export interface ServedTaintRules {
  readonly deviceTaintRules?: ResourceType<DeviceTaintRule>
}

export function servedTaintRules({ spec, switches = {} }: Pick<ClusterRecord, 'spec' | 'switches'>): ServedTaintRules {
  const minor = minorOf(spec.kubernetesVersion)
  const gate = featureGatesOf(minor, switches.featureGates)
  // 1.34 has the rules under the gate of the taints themselves.
  if (!gate(minor === '1.34' ? 'DRADeviceTaints' : 'DRADeviceTaintRules')) return {}
  const version = (minor === '1.36' ? (['v1beta2', 'v1alpha3'] as const) : (['v1alpha3'] as const)).find((each) =>
    isOffered(switches.runtimeConfig ?? {}, {
      group: 'resource.k8s.io',
      version: each,
      plural: 'devicetaintrules',
    }),
  )
  return version === undefined ? {} : { deviceTaintRules: { ...deviceTaintRules, version } }
}
