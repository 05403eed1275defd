// Access to devices that others use: only in namespaces that an administrator marked for it. Upstream's registry asks the
// same of claims and their templates.

import type { Namespace } from '@aksel/api/types/core-v1'
import { forbidden, invalidError, type FieldError } from '@aksel/api/field-errors'
import type { DeviceClaim, ResourceClaim, ResourceClaimTemplate } from '@aksel/api/types/resource-v1'
import { concerns, type AdmissionPlugin } from './admission.ts'

const LABEL = 'resource.kubernetes.io/admin-access'
const words = `admin access to devices requires the \`${LABEL}: true\` label on the containing namespace`

export const deviceAdminAccess: AdmissionPlugin = {
  name: 'DeviceAdminAccess',
  handles: (request) =>
    request.operation === 'CREATE' &&
    (concerns(request, 'resource.k8s.io', 'resourceclaims') ||
      concerns(request, 'resource.k8s.io', 'resourceclaimtemplates')),
  async validate({ row, namespace, object, name }, { records, kinds }) {
    const errors =
      row.plural === 'resourceclaims'
        ? complaints((object as ResourceClaim | undefined)?.spec.devices, 'spec.devices')
        : complaints((object as ResourceClaimTemplate | undefined)?.spec.spec.devices, 'spec.spec.devices')
    if (errors.length === 0) return
    const record = await records.get(kinds.find('', 'v1', 'namespaces')!, '', namespace)
    if ((record?.object as Namespace | undefined)?.metadata.labels?.[LABEL] === 'true') return
    throw invalidError({ group: row.group, kind: row.kind, name: object?.metadata.name ?? name }, errors)
  },
}

function complaints(devices: DeviceClaim | undefined, path: string): readonly FieldError[] {
  return (devices?.requests ?? []).flatMap(({ exactly }, index) =>
    exactly?.adminAccess === true ? [forbidden(`${path}.requests[${index}].exactly.adminAccess`, words)] : [],
  )
}
