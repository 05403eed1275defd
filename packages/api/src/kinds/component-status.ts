// ComponentStatus: how the parts of the control plane are, asked when it is read. Deprecated upstream, still served.

import type { KindRules } from '../kind-row.ts'
import type { ComponentStatus } from '../types/core-v1.ts'
import { column, nameColumn } from './columns.ts'

/** Status, message and error of the condition `Healthy`. */
function healthOf({ conditions = [] }: ComponentStatus): readonly [string, string, string] {
  const found = conditions.find(({ type }) => type === 'Healthy')
  const status =
    found === undefined || found.status === 'Unknown' ? 'Unknown' : found.status === 'True' ? 'Healthy' : 'Unhealthy'
  return [status, found?.message ?? '', found?.error ?? '']
}

export const componentStatusRules: KindRules<ComponentStatus> = {
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  virtual: true,
  columns: [
    nameColumn,
    column('Status', 'Whether it is healthy.'),
    column('Message', 'What it answered.'),
    column('Error', 'What went wrong.'),
  ],
  cells: (component) => [component.metadata.name, ...healthOf(component)],
}
