// Where an operator's profiles come from: the ConfigMap `kube-scheduler` of kube-system, key `config.yaml`, read when the
// control plane starts.

import { configMaps } from '@aksel/api/resources'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { parse } from 'yaml'
import { parseConfiguration, type SchedulerConfiguration } from './configuration.ts'

/** Upstream's defaults where there is none, and where it cannot be read: a wrong word must not leave a cluster without a scheduler. */
export async function readProfiles(scope: Scope, client: Client): Promise<Partial<SchedulerConfiguration>> {
  try {
    const ref = { namespace: 'kube-system', name: 'kube-scheduler' }
    const found = await ignoreReason('NotFound', client.get(configMaps, ref))
    const text = found?.data?.['config.yaml']
    return text === undefined ? {} : parseConfiguration(parse(text))
  } catch (error) {
    scope.log.error('the configuration of the scheduler cannot be used; the defaults hold', { error })
    return {}
  }
}
