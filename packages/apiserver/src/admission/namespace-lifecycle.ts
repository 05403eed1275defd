// Nothing is made in a namespace that is not there or is going; the namespaces that the cluster stands on cannot be deleted.

import { ApiError } from '@aksel/base/errors'
import type { Namespace } from '@aksel/api/types/core-v1'
import { forbiddenError, notFoundError } from '../refusals.ts'
import type { AdmissionPlugin } from './admission.ts'

const immortal: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public'])

export const namespaceLifecycle: AdmissionPlugin = {
  name: 'NamespaceLifecycle',
  handles: ({ operation, row }) =>
    (operation === 'CREATE' && row.namespaced) ||
    (operation === 'DELETE' && row.plural === 'namespaces' && row.group === ''),
  // Before all others, though it changes nothing: nobody is asked about a write that has no place.
  async admit({ operation, row, name, namespace, subresource, object }, { records, kinds }) {
    if (operation === 'DELETE') {
      if (immortal.has(name)) throw forbiddenError(row, name, 'this namespace may not be deleted')
      return false
    }
    if (subresource !== '') return false
    const namespaces = kinds.find('', 'v1', 'namespaces')!
    const record = await records.get(namespaces, '', namespace)
    if (record === undefined) throw notFoundError(namespaces, namespace)
    if ((record.object as Namespace).status?.phase !== 'Terminating') return false
    const text = `unable to create new content in namespace ${namespace} because it is being terminated`
    const shown = forbiddenError(row, object?.metadata.name ?? name, text)
    const causes = [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ]
    throw new ApiError('Forbidden', shown.message, { details: { ...shown.details, causes } })
  },
}
